import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { run } from './run.ts';

test('a directory that is written to while its test ends is gone when the process is', async () => {
  const source = `
    import { test } from 'node:test';
    import { mkdirSync, writeFileSync } from 'node:fs';
    import { temporaryDirectory } from ${JSON.stringify(import.meta.resolve('./temporary.ts'))};
    test('writes late', (t) => {
      const path = temporaryDirectory(t);
      t.after(() => {
        mkdirSync(path, { recursive: true });
        writeFileSync(path + '/late', '');
      });
      console.log(path);
    });`;
  const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', source];
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { status, stdout } = await run(process.execPath, flags, { env });
  assert.equal(status, 0, stdout);
  const [, path = ''] = /(\/\S+\/sluice-test-\S+)/.exec(stdout) ?? [];
  assert.notEqual(path, '');
  assert.equal(existsSync(path), false);
});
