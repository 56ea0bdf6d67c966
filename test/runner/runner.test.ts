import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { repositoryRoot } from '../repo/repository.ts';
import { run } from '../support/run.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { describeTestFile } from './files.ts';
import { measuredOf, planBatches } from './plan.ts';
import { skipLines } from './report.ts';

const host = JSON.stringify(join(repositoryRoot, 'test/support/host.ts'));
const head = `import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hostHas, hostLacks } from ${host};
`;
const needy = `${head}
describe('a suite', { skip: hostLacks('tool:no-such-tool') }, () => test('not run', () => {}));
test('skipped', (t) => void hostHas(t, 'tool:aws', 'tool:no-such-tool'));
test('run', () => {});
`;
const plain = `${head}
test('passes', () => {});
test('has its reason to be skipped', (t) => t.skip('of the test itself'));
`;
const broken = `${head}
test('fails', () => assert.equal(1, 2));
`;
const alone = (log: string) => `${head}
// Runs alone: it looks at everybody.
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
test('alone', async () => {
  appendFileSync(${JSON.stringify(log)}, 'begin ');
  await sleep(100);
  appendFileSync(${JSON.stringify(log)}, 'end ');
});
`;

interface Ran {
  readonly status: number;
  readonly lines: string[];
}

/** Runs the runner on files of the test's own, with an empty PATH besides what is given. */
async function runOn(
  t: TestContext,
  files: Readonly<Record<string, string>>,
  more: { words?: readonly string[]; environment?: NodeJS.ProcessEnv } = {},
): Promise<Ran> {
  const root = temporaryDirectory(t, 'runner');
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const { words = ['.test.ts'], environment = {} } = more;
  const program = join(repositoryRoot, 'test/run.ts');
  const flags = ['--disable-warning=ExperimentalWarning', program, `--root=${root}`, ...words];
  const { status, stdout } = await run(process.execPath, flags, {
    env: { PATH: join(root, 'no-tools'), TMPDIR: root, ...environment },
  });
  return { status, lines: stdout.split('\n') };
}

const closing = (lines: readonly string[]) =>
  Object.fromEntries(
    lines.flatMap((line) => {
      const [, word = '', count] = /^ℹ (tests|pass|fail|skipped) (\d+)$/.exec(line) ?? [];
      return word ? [[word, Number(count)]] : [];
    }),
  );

test('a host that lacks tools passes, and what is missing is listed at the end', async (t) => {
  const { status, lines } = await runOn(t, { 'src/a.test.ts': needy, 'test/b.test.ts': plain });
  assert.equal(status, 0, lines.join('\n'));
  assert.ok(lines.includes('skipped, needs: awscli (1 test), no-such-tool (2 tests)'));
  assert.ok(lines.includes('skipped: of the test itself (1 test)'));
  const { tests, pass, fail, skipped } = closing(lines);
  // Node does not count a suite that is skipped, nor what is in it.
  assert.deepEqual([tests, pass, fail, skipped], [4, 2, 0, 2]);
  assert.equal(lines.at(-2), '2 passed, 0 failed, 2 skipped');
});

test('with CI=true a lack fails, and so does any other skip', async (t) => {
  const environment = { CI: 'true' };
  const lacking = await runOn(t, { 'src/a.test.ts': needy }, { environment });
  assert.equal(lacking.status, 1);
  assert.match(lacking.lines.join('\n'), /lacks no-such-tool .*; in CI that is a failure/);
  const skipping = await runOn(t, { 'src/b.test.ts': plain }, { environment });
  assert.equal(skipping.status, 1);
  assert.ok(skipping.lines.includes('with CI=true a skip is a failure'));
});

test('a failing test fails the run, and is shown again after the closing lines', async (t) => {
  const { status, lines } = await runOn(t, { 'src/a.test.ts': broken, 'src/b.test.ts': plain });
  assert.equal(status, 1);
  assert.deepEqual([closing(lines)['fail'], closing(lines)['pass']], [1, 1]);
  assert.ok(lines.indexOf('✖ failing tests:') > lines.indexOf('ℹ fail 1'));
  assert.equal(lines.at(-2), '1 passed, 1 failed, 1 skipped');
});

test('a file that ends its process fails, and so do those that were to follow there', async (t) => {
  for (const exitStatus of [0, 3]) {
    const ending = `${head}test('first', () => {});\ntest('ends', () => process.exit(${exitStatus}));`;
    const files = { 'src/a.test.ts': plain, 'src/b.test.ts': ending, 'src/c.test.ts': plain };
    const { status, lines } = await runOn(t, files);
    assert.equal(status, 1);
    const after = lines.slice(lines.indexOf('✖ failing tests:')).join('\n');
    assert.match(after, /src\/b\.test\.ts/);
    assert.match(after, /src\/c\.test\.ts/);
    assert.doesNotMatch(after, /src\/a\.test\.ts/);
  }
});

test('unit tests share a process, and one that cannot be read fails by itself', async (t) => {
  const log = join(temporaryDirectory(t, 'log'), 'log');
  const tells = (line = '') => `${head}${line}
import { appendFileSync } from 'node:fs';
test('tells', () => appendFileSync(${JSON.stringify(log)}, \`\${process.pid} \${process.env['OWN'] ?? '-'}\\n\`));
`;
  const files = {
    'src/a.test.ts': tells(),
    'src/b.test.ts': tells("process.env['OWN'] = 'set';\nprocess.chdir('/');"),
    'src/c.test.ts': `${head}import './absent.ts';\ntest('not run', () => {});`,
    'src/d.test.ts': tells(),
    'src/e.test.ts': tells('// Own process: it counts the files it has open.'),
  };
  const { status, lines } = await runOn(t, files);
  assert.equal(status, 1);
  assert.equal(lines.at(-2), '4 passed, 1 failed, 0 skipped');
  assert.match(lines.slice(lines.indexOf('✖ failing tests:')).join('\n'), /✖ src\/c\.test\.ts/);
  const told = readFileSync(log, 'utf8').trim().split('\n').toSorted();
  const pids = new Map<string, string[]>();
  for (const [pid = '', own = ''] of told.map((line) => line.split(' '))) {
    pids.set(pid, [...(pids.get(pid) ?? []), own]);
  }
  // What one file sets while its tests run is gone for the next.
  assert.deepEqual([...pids.values()].toSorted(), [['-'], ['-', '-', 'set']]);
});

test('a rejection that nobody waits for fails its file, and no other', async (t) => {
  const stray = `${head}
import { setTimeout as sleep } from 'node:timers/promises';
test('lets go', async () => {
  void sleep(1).then(() => assert.fail('astray'));
  await sleep(50);
});
describe('after a turn', async () => {
  await sleep(1);
  test('is run', () => {});
});
`;
  const files = { 'src/a.test.ts': plain, 'src/b.test.ts': stray, 'src/c.test.ts': plain };
  const { status, lines } = await runOn(t, files);
  assert.equal(status, 1);
  const after = lines.slice(lines.indexOf('✖ failing tests:')).join('\n');
  assert.match(after, /✖ src\/b\.test\.ts[^✖]+astray[^✖]+at file:.*src\/b\.test\.ts/);
  assert.doesNotMatch(after, /✖ src\/[ac]\.test\.ts/);
  assert.ok(lines.some((line) => /✔ is run/.test(line)));
  assert.ok(
    lines.some((line) => /✔ lets go/.test(line)),
    'promises are followed, which is slow',
  );
});

test('a process that outlives the run fails it, and is named', async (t) => {
  const leaves = `${head}
import { spawn } from 'node:child_process';
const words = ['-e', 'setTimeout(() => {}, 600_000)'];
test('leaves', () => spawn(process.execPath, words, { detached: true, stdio: 'ignore' }).unref());
`;
  const { status, lines } = await runOn(
    t,
    { 'src/a.test.ts': leaves },
    { words: ['.test.ts', '--settle=0'] },
  );
  const named = lines.flatMap((line) => /process (\d+) .*600_000/.exec(line)?.[1] ?? []);
  for (const pid of new Set(named)) process.kill(Number(pid), 'SIGKILL');
  assert.equal(new Set(named).size, 1, lines.join('\n'));
  assert.equal(status, 1);
  assert.equal(lines.at(-2), '1 passed, 1 failed, 0 skipped');
});

test('neighbours share a process up to its fill, and the longest begin', () => {
  const file = (path: string) => describeTestFile(path, '');
  const files = ['src/a', 'src/b', 'src/c', 'src/d', 'test/e2e/e'].map(file);
  const measured = { 'src/a': 4, 'src/b': 5, 'src/c': 6, 'test/e2e/e': 30 };
  assert.deepEqual(
    planBatches(files, measured).map(({ paths, seconds }) => [paths.join(' '), seconds]),
    [
      ['test/e2e/e', 30],
      ['src/a src/b', 9],
      ['src/c src/d', 6.5],
    ],
  );
});

test('what a file took is told and, where it matters, kept', async (t) => {
  const { lines } = await runOn(t, { 'src/a.test.ts': plain });
  assert.ok(
    lines.some((line) => /^ℹ src\/a\.test\.ts \([\d.]+ s, processor [\d.]+ s\)$/.test(line)),
  );
  const times = [1200, 2600, 400].map((cpuMs, i) => ({ path: `${i}`, cpuMs }));
  assert.deepEqual(measuredOf(times), { 1: 3 });
});

test('words choose files, and a word that matches no file is an error', async (t) => {
  const files = { 'src/a.test.ts': plain, 'bench/b.test.ts': broken };
  assert.equal((await runOn(t, files, { words: ['src/a'] })).status, 0);
  assert.equal((await runOn(t, files, { words: ['nothing'] })).status, 2);
});

test('what is too heavy for every run is run when it is asked for', async (t) => {
  const heavy = `${head}\n// Heavy: it builds a world.\ntest('weighs much', () => {});\n`;
  const files = { 'src/a.test.ts': plain, 'src/b.test.ts': heavy };
  const ranBy = async (...words: string[]) => {
    const { lines } = await runOn(t, files, { words });
    return ['has its reason', 'weighs much'].map((name) =>
      lines.some((line) => line.includes(name)),
    );
  };
  assert.deepEqual(await ranBy('--unit'), [true, false]);
  assert.deepEqual(await ranBy('--heavy'), [false, true]);
  assert.deepEqual(await ranBy('.test.ts'), [true, true]);
});

test('a file that runs alone has no other beside it', async (t) => {
  const log = join(temporaryDirectory(t, 'log'), 'log');
  const files = Object.fromEntries([1, 2, 3].map((i) => [`src/${i}.test.ts`, alone(log)]));
  const { status, lines } = await runOn(t, files, { words: ['.test.ts', '--jobs=3'] });
  assert.equal(status, 0, lines.join('\n'));
  const { stdout } = await run('/bin/cat', [log]);
  assert.equal(stdout, 'begin end begin end begin end ');
});

test('what a file needs is read from its text', () => {
  const root = "if (!hostHas(t, 'root', 'fuse')) return;";
  assert.equal(describeTestFile('src/a/b.test.ts', root).unit, false);
  assert.equal(describeTestFile('src/a/b.test.ts', 'hostHas(t, ...SANDBOX_NEEDS)').unit, false);
  assert.equal(describeTestFile('src/a/b.test.ts', "hostHas(t, 'tool:e2fsck')").unit, true);
  assert.equal(describeTestFile('test/e2e/b.test.ts', '').unit, false);
  const { aloneBecause } = describeTestFile(
    'x',
    'import x;\n\n// Runs alone: all mounts.\ntest();',
  );
  assert.equal(aloneBecause, 'all mounts.');
});

test('the list of lacks counts tests by package', () => {
  const aws = 'this host lacks aws (apt-get install awscli)';
  assert.deepEqual(skipLines([aws, 'other', `${aws}, root`, 'other']), [
    'skipped, needs: awscli (2 tests), root (1 test)',
    'skipped: other (2 tests)',
  ]);
  assert.deepEqual(skipLines([]), []);
});
