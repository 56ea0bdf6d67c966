import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { comparison, resultsOf } from './comparison.ts';

test('two commits are compared by the figures that both have', (t) => {
  const directory = temporaryDirectory(t, 'results');
  const results = { a: { ms: 10, gone: 1, parts: [{ us: 4 }] }, b: { ms: 5, parts: [{ us: 6 }] } };
  for (const [commit, result] of Object.entries(results)) {
    mkdirSync(join(directory, commit));
    writeFileSync(join(directory, commit, 'x.json'), JSON.stringify({ name: 'x', result }));
  }
  const of = (commit: string) => resultsOf(directory, commit).get('x') ?? assert.fail();
  assert.deepEqual(comparison(of('a'), of('b')), [
    ['ms', '10.00', '5.000', '0.50'],
    ['parts 0 us', '4.000', '6.000', '1.50'],
  ]);
  assert.throws(() => resultsOf(directory, 'c'), /c: no benchmark was run/);
});
