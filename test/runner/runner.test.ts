import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { repositoryRoot } from '../repo/repository.ts';
import { run } from '../support/run.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { describeTestFile } from './files.ts';
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

test('a file that ends before its tests do is a failure', async (t) => {
  const { status, lines } = await runOn(t, { 'src/a.test.ts': `${head}process.exit(3);\n` });
  assert.equal(status, 1);
  assert.match(lines.at(-2) ?? '', /^0 passed, 1 failed/);
});

test('words choose files, and a word that matches no file is an error', async (t) => {
  const files = { 'src/a.test.ts': plain, 'bench/b.test.ts': broken };
  assert.equal((await runOn(t, files, { words: ['src/a'] })).status, 0);
  assert.equal((await runOn(t, files, { words: ['nothing'] })).status, 2);
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
