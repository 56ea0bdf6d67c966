import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DiskPromises } from './disk-promises.ts';

const refused = {
  code: 'START_LIMIT_EXCEEDED',
  data: { reason: 'ConcurrentInvocationLimitExceeded', limit: 'disk' },
};

test('no start is let in whose room was promised to others', () => {
  const promises = new DiskPromises({ budgetBytes: 1000, accountBytes: 1000, isLow: () => false });
  const first = promises.take('f', 'f', 600);
  assert.throws(() => promises.take('g', 'g', 401), refused);
  promises.take('g', 'g', 400);
  first();
  first();
  assert.equal(promises.promisedBytes, 400, 'room is given back once');
  promises.take('h', 'h', 600);
});

test('nothing starts on a disk that is about full, however little is promised', () => {
  let isLow = true;
  const promises = new DiskPromises({ budgetBytes: 1000, accountBytes: 1000, isLow: () => isLow });
  assert.throws(() => promises.take('f', 'f', 1), refused);
  isLow = false;
  promises.take('f', 'f', 1);
});

test('one account never holds all the room, however many functions it has', () => {
  const promises = new DiskPromises({ budgetBytes: 1000, isLow: () => false });
  promises.take('f', 'one', 500);
  const last = promises.take('g', 'one', 250);
  assert.throws(() => promises.take('h', 'one', 1), refused);
  promises.take('f', 'other', 250);
  last();
  promises.take('h', 'one', 250);
});
