import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DiskPromises } from './disk-promises.ts';

const refused = {
  code: 'START_LIMIT_EXCEEDED',
  data: { reason: 'ConcurrentInvocationLimitExceeded', limit: 'disk' },
};

test('no start is let in whose room was promised to others', () => {
  const promises = new DiskPromises({ budgetBytes: 1000, isLow: () => false });
  const first = promises.take('f', 600);
  assert.throws(() => promises.take('g', 401), refused);
  promises.take('g', 400);
  first();
  first();
  assert.equal(promises.promisedBytes, 400, 'room is given back once');
  promises.take('h', 600);
});

test('nothing starts on a disk that is about full, however little is promised', () => {
  let isLow = true;
  const promises = new DiskPromises({ budgetBytes: 1000, isLow: () => isLow });
  assert.throws(() => promises.take('f', 1), refused);
  isLow = false;
  promises.take('f', 1);
});
