import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fullBucket, giveBack, takeToken } from './token-bucket.ts';

const taken = (bucket: ReturnType<typeof fullBucket>, nowMs: number, capacity = 3) => {
  let count = 0;
  while (takeToken(bucket, capacity, 10, nowMs)) count++;
  return count;
};

test('a bucket starts full, and fills up again at its rate and no further', () => {
  const bucket = fullBucket(1000);
  assert.equal(taken(bucket, 1000), 3);
  assert.equal(taken(bucket, 1099), 0);
  assert.equal(taken(bucket, 1200), 2, 'what came back in part is not lost');
  assert.equal(taken(bucket, 99_000), 3);
});

test('a token that is given back can be taken once more, and a full bucket takes none', () => {
  const bucket = fullBucket(0);
  assert.equal(taken(bucket, 0), 3);
  giveBack(bucket);
  assert.equal(taken(bucket, 0), 1);
  const full = fullBucket(0);
  giveBack(full);
  assert.equal(taken(full, 0), 3);
});

test('a clock that went back takes nothing and gives nothing', () => {
  const bucket = fullBucket(5000);
  assert.equal(taken(bucket, 5000), 3);
  assert.equal(taken(bucket, 1000), 0);
  assert.equal(taken(bucket, 1100), 1, 'time goes on from there');
});

test('a capacity that shrinks leaves no debt, one that grows gives no more than it holds', () => {
  const bucket = fullBucket(0);
  assert.equal(taken(bucket, 0, 100), 100);
  assert.equal(taken(bucket, 100, 2), 0);
  assert.equal(taken(bucket, 200, 2), 1);
  assert.equal(taken(bucket, 200, 5), 3);
});
