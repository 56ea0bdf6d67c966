import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError } from '../../base/mod.ts';
import { ProgressWatch } from './progress-watch.ts';

const limits = { waitedMs: 100_000, progressMs: 1000, progressBytes: 500 };
const isRefusal = (pattern: RegExp) => (error: unknown) =>
  isSluiceError(error, 'REGISTRY_UNAVAILABLE') && pattern.test(error.message);

test('a drip is told from a stream by its bytes per time', () => {
  const steady = new ProgressWatch('reg/app', limits);
  for (let i = 0; i < 1000; i++) steady.note(100, 50);
  const drip = new ProgressWatch('reg/app', limits);
  assert.throws(
    () => {
      for (let i = 0; i < 20; i++) drip.note(100, 49);
    },
    isRefusal(/reg\/app: it sent 490 bytes within 1 s/),
  );
});

test('a stream that never ends has an end, however fast it is', () => {
  const watch = new ProgressWatch('reg/app', limits);
  assert.throws(
    () => {
      for (;;) watch.note(10, 1_000_000);
    },
    isRefusal(/longer than 100 s in all/),
  );
});

test('time that the reader itself takes is not counted', () => {
  const watch = new ProgressWatch('reg/app', limits);
  for (let i = 0; i < 10_000; i++) watch.note(0, 1);
});
