import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedSemaphore } from './shared-semaphore.ts';

function setUp(permits = 4, permitsPerKey = 2) {
  const slots = new SharedSemaphore({
    ...{ permits, permitsPerKey },
    ...{ maxWaiting: 6, maxWaitingPerKey: 3 },
  });
  const running: string[] = [];
  const ends: (() => void)[] = [];
  const start = (key: string, signal?: AbortSignal) => {
    const work = () =>
      new Promise<void>((resolve) => {
        running.push(key);
        ends.push(resolve);
      });
    return slots.run(key, work, signal);
  };
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return { start, running, ends, turn };
}

test('one account never holds all slots, whatever it starts', async () => {
  const { start, running, turn } = setUp();
  for (let i = 0; i < 5; i++) void start('greedy');
  await turn();
  void start('other');
  await turn();
  assert.deepEqual(running, ['greedy', 'greedy', 'other']);
});

test('a free slot goes to whoever has fewest, and a full queue refuses only its own account', async () => {
  const { start, running, ends, turn } = setUp(2, 2);
  void start('a');
  void start('a');
  void start('a');
  void start('b');
  await turn();
  ends.shift()?.();
  await turn();
  assert.deepEqual(running, ['a', 'a', 'b'], 'though the third of a came first');
  ends.shift()?.();
  await turn();
  assert.deepEqual(running, ['a', 'a', 'b', 'a']);
  for (let i = 0; i < 3; i++) void start('a').catch(() => {});
  await assert.rejects(start('a'), { code: 'OVERLOADED' });
  void start('b');
});

test('a waiter that gives up leaves the queue', async () => {
  const { start, running, ends, turn } = setUp(1, 1);
  void start('a');
  const controller = new AbortController();
  const waiting = start('a', controller.signal);
  controller.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
  void start('b');
  ends.shift()?.();
  await turn();
  assert.deepEqual(running, ['a', 'b']);
});
