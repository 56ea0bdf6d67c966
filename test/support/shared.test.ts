import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { RUN_DIRECTORY } from './shared.ts';
import { temporaryDirectory } from './temporary.ts';

const execute = promisify(execFile);
const shared = JSON.stringify(import.meta.resolve('./shared.ts'));
const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e'];

/** A process that builds `thing`, and tells in the log that it did. */
const builder = (log: string, waitMs = 50) => `
  import { appendFileSync, writeFileSync } from 'node:fs';
  import { join } from 'node:path';
  import { sharedByRun } from ${shared};
  const path = await sharedByRun('thing', async (directory) => {
    appendFileSync(${JSON.stringify(log)}, 'built\\n');
    console.log('building');
    await new Promise((resolve) => setTimeout(resolve, ${waitMs}));
    writeFileSync(join(directory, 'file'), 'content');
  });
  console.log(path);`;

test('what many processes ask for at once is built by one of them', async (t) => {
  const directory = temporaryDirectory(t, 'shared');
  const log = join(directory, 'log');
  const env = { ...process.env, [RUN_DIRECTORY]: directory };
  const all = Array.from({ length: 4 }, () =>
    execute(process.execPath, [...flags, builder(log)], { env }),
  );
  for (const { stdout } of await Promise.all(all)) {
    const path = stdout.trim().split('\n').at(-1) ?? '';
    assert.equal(readFileSync(join(path, 'file'), 'utf8'), 'content');
  }
  assert.equal(readFileSync(log, 'utf8'), 'built\n');
  assert.deepEqual(readdirSync(directory).sort(), ['log', 'thing']);
});

test('a killed builder is replaced by the next', async (t) => {
  const directory = temporaryDirectory(t, 'shared');
  const log = join(directory, 'log');
  const env = { ...process.env, [RUN_DIRECTORY]: directory };
  const first = spawn(process.execPath, [...flags, builder(log, 3_600_000)], { env });
  await once(first.stdout, 'data');
  const second = execute(process.execPath, [...flags, builder(log)], { env });
  first.kill('SIGKILL');
  const path = (await second).stdout.trim().split('\n').at(-1) ?? '';
  assert.equal(readFileSync(join(path, 'file'), 'utf8'), 'content');
});

test('the cache builds again for other inputs, and drops what was not used for long', async (t) => {
  const directory = temporaryDirectory(t, 'cache');
  const env = { ...process.env, XDG_CACHE_HOME: directory };
  const ask = async (inputs: readonly string[]) => {
    const script = `
      import { cachedByInputs } from ${shared};
      const inputs = ${JSON.stringify(inputs)};
      for (const input of inputs) await cachedByInputs('thing', [input], async () => {});`;
    await execute(process.execPath, [...flags, script], { env });
    return readdirSync(join(directory, 'sluice-tests'));
  };
  const [one = ''] = await ask(['one', 'one']);
  assert.equal((await ask(['two'])).length, 2);
  const old = join(directory, 'sluice-tests', one);
  writeFileSync(join(old, 'kept'), '');
  assert.equal((await ask(Array.from({ length: 20 }, (_, i) => `${i}`))).length, 22);
  utimesSync(old, 0, 0);
  assert.ok(existsSync(old));
  await ask(['another']);
  assert.ok(!existsSync(old));
});
