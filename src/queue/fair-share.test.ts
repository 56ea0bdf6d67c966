import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError, limits } from '../base/mod.ts';
import { EventBytes, sizeOf } from './event-bytes.ts';
import { eventOf } from './event-store.conformance.ts';
import { requireRoom, shortest } from './fair-share.ts';

const overloaded = (limit: number) => (error: unknown) =>
  isSluiceError(error, 'OVERLOADED') && error.data['limit'] === limit;

test('an event goes to its function’s shortest queue, the first of equals', () => {
  const depths = new Map([
    [5, 3],
    [9, 1],
    [2, 1],
    [7, 4],
  ]);
  const depthOf = (queue: number) => depths.get(queue) ?? 0;
  assert.equal(shortest([5, 9, 2, 7], depthOf), 9);
  assert.equal(shortest([7, 5], depthOf), 5);
  assert.equal(shortest([5], depthOf), 5);
});

test('a queue takes its part of all events and no more, and says which limit was met', () => {
  const part = limits.queue.eventsPartPerQueue;
  assert.equal(part, 1 / 16);
  const room = (depth: number, events: number) => () =>
    requireRoom('f', { depth, events, eventsMax: 100 });
  // A sixteenth of a hundred, rounded up.
  assert.doesNotThrow(room(6, 99));
  assert.throws(room(7, 99), overloaded(7));
  assert.throws(room(0, 100), overloaded(100));
  assert.throws(room(7, 100), overloaded(100));
});

test('bytes are held to the limit of all, of the account and of the function, and given back', () => {
  const bytes = new EventBytes(1600);
  const sized = (size: number, functionName = 'f', accountId = 'a') =>
    sizeOf(eventOf(1, { payload: Buffer.alloc(size), functionName, accountId }));
  const fits = (event: ReturnType<typeof sized>) => {
    try {
      bytes.requireRoom(event);
      return true;
    } catch (error) {
      assert.ok(isSluiceError(error, 'OVERLOADED'));
      return false;
    }
  };
  assert.deepEqual([fits(sized(100)), fits(sized(101))], [true, false], 'a sixteenth a function');
  bytes.add(sized(60));
  assert.deepEqual([fits(sized(40)), fits(sized(41))], [true, false]);
  bytes.remove(sized(20));
  assert.deepEqual([fits(sized(60)), fits(sized(61))], [true, false]);
  for (const name of ['g', 'h', 'i']) bytes.add(sized(100, name));
  assert.deepEqual([fits(sized(60, 'j')), fits(sized(61, 'j'))], [true, false], 'a quarter');
  for (const account of ['b', 'c', 'd']) {
    for (const name of ['f', 'g', 'h', 'i']) bytes.add(sized(100, name, account));
  }
  assert.deepEqual([fits(sized(60, 'f', 'e')), fits(sized(61, 'f', 'e'))], [true, false], 'all');
  bytes.clear();
  assert.ok(fits(sized(100)));
});

test('an answer that is kept counts beside its payload', () => {
  const event = eventOf(1, { payload: Buffer.alloc(7) });
  assert.equal(sizeOf(event).bytes, 7);
  const lastAnswer = { executedVersion: '1', payload: Buffer.alloc(5) };
  assert.equal(sizeOf({ ...event, lastAnswer }).bytes, 12);
});
