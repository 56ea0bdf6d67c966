import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError } from '../base/mod.ts';
import {
  type AccessLog,
  AccessRecorder,
  chunksOf,
  encodeAccessLog,
  fitOf,
  isStale,
  mergeAccessLogs,
  parseAccessLog,
} from './access-log.ts';

const log = (...runs: [number, number, number][]): AccessLog => ({ manifestId: 'm', runs });

test('a recorder notes each page once, in order', () => {
  const recorder = new AccessRecorder(1000, 100);
  recorder.record(4096 * 10, 4096 * 4, 101);
  recorder.record(4096 * 8, 4096 * 10, 105);
  recorder.record(4096 * 10, 4096, 110);
  assert.deepEqual(recorder.runs, [
    [10, 4, 1],
    [8, 2, 5],
    [14, 4, 5],
  ]);
});

test('a log survives encoding; bytes that are not a log are refused', () => {
  const some = log([0, 1, 0], [300, 20, 7]);
  assert.deepEqual(parseAccessLog(encodeAccessLog(some)), some);
  for (const text of [
    '',
    '{}',
    'null',
    '{"version":2}',
    '{"version":1,"manifestId":"m","runs":[[1,0,2]]}',
    '{"version":1,"manifestId":"m","runs":[[-1,1,2]]}',
  ]) {
    assert.throws(
      () => parseAccessLog(text),
      (error) => isSluiceError(error, 'USAGE'),
    );
  }
});

test('the chunks of a log come in the order of their first touch, within the disk', () => {
  const some = log([256, 1, 0], [0, 1, 1], [120, 16, 2], [1280, 1, 3]);
  assert.deepEqual([...chunksOf(some, 10)], [2, 0, 1]);
});

test('merging keeps what half of the starts touched, in the order of time', () => {
  const merged = mergeAccessLogs([
    log([5, 2, 10], [100, 1, 30]),
    log([5, 2, 30], [200, 1, 5]),
    log([100, 1, 10], [5, 1, 20]),
  ]);
  assert.deepEqual(merged.runs, [
    [5, 2, 20],
    [100, 1, 20],
  ]);
});

test('a log that predicts too little or too much is stale', () => {
  const pages = (from: number, count: number): [number, number, number][] =>
    Array.from({ length: count }, (_, index) => [(from + index) * 128, 1, index]);
  const old = log(...pages(0, 10));
  assert.equal(isStale(fitOf(old, log(...pages(0, 9)))), false);
  assert.equal(isStale(fitOf(old, log(...pages(0, 5)))), true);
  assert.equal(isStale(fitOf(old, log(...pages(0, 20)))), true);
});
