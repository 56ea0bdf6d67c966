import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Benchmark, refusal, usageOf } from './benchmark.ts';

const run = async () => ({});
const flagged: Benchmark = {
  title: 'flagged',
  takes: { options: { quick: { type: 'boolean' }, rate: { type: 'string' } }, words: ['reads'] },
  run,
};

test('a benchmark takes the flags and words that it knows, and refuses all others', () => {
  assert.equal(refusal(flagged, []), undefined);
  assert.equal(refusal(flagged, ['reads', '--quick', '--rate', '5']), undefined);
  for (const wrong of ['--help', '--quik', 'writes', '--rate']) {
    assert.notEqual(refusal(flagged, [wrong]), undefined, wrong);
  }
  const plain: Benchmark = { title: 'plain', run };
  assert.equal(refusal(plain, []), undefined);
  assert.notEqual(refusal(plain, ['--quick']), undefined);
  const counting: Benchmark = { title: 'counting', takes: { words: 'number' }, run };
  assert.equal(refusal(counting, ['100']), undefined);
  assert.notEqual(refusal(counting, ['many']), undefined);
});

test('its usage names all of them', () => {
  assert.equal(
    usageOf('flagged', flagged),
    'npm run bench -- flagged [--quick] [--rate VALUE] [reads]',
  );
});
