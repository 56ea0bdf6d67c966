import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  BoundedQueue,
  errorCatalogue,
  formatBytes,
  isSluiceError,
  SeededRandom,
  Semaphore,
  SingleFlight,
  SluiceError,
  toSluiceError,
  VirtualClock,
  withDeadline,
} from './mod.ts';

test('a semaphore never lets more in than it has permits, and serves in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 30 }),
      async (permits, n) => {
        const semaphore = new Semaphore(permits);
        let inside = 0;
        let most = 0;
        const order: number[] = [];
        await Promise.all(
          Array.from({ length: n }, (_, index) =>
            semaphore.run(async () => {
              order.push(index);
              most = Math.max(most, ++inside);
              await Promise.resolve();
              inside--;
            }),
          ),
        );
        assert.ok(most <= permits);
        assert.deepEqual(
          order,
          [...order].sort((a, b) => a - b),
        );
        assert.equal(semaphore.taken, 0);
      },
    ),
    { numRuns: 30 },
  );
});

test('a semaphore refuses what would wait beyond its limit, and an aborted waiter leaves the line', async () => {
  const semaphore = new Semaphore(1, 1);
  await semaphore.acquire();
  const controller = new AbortController();
  const waiting = semaphore.acquire(controller.signal);
  await assert.rejects(semaphore.acquire(), (error) => isSluiceError(error, 'OVERLOADED'));
  controller.abort(new Error('gone'));
  await assert.rejects(waiting, /gone/);
  assert.equal(semaphore.waiting, 0);
  semaphore.release();
  assert.ok(semaphore.tryAcquire());
});

test('single flight joins concurrent calls and forgets them when they settle', async () => {
  const flights = new SingleFlight<string, number>();
  let calls = 0;
  const work = async () => {
    calls++;
    await Promise.resolve();
    if (calls === 2) throw new Error('second');
    return calls;
  };
  assert.deepEqual(await Promise.all([flights.run('a', work), flights.run('a', work)]), [1, 1]);
  await assert.rejects(flights.run('a', work), /second/);
  assert.equal(await flights.run('a', work), 3);
  assert.equal(flights.size, 0);
});

test('a bounded queue keeps order and refuses beyond its limit', () => {
  const queue = new BoundedQueue<number>(3);
  for (let round = 0; round < 3000; round++) {
    queue.push(round);
    assert.equal(queue.shift(), round);
  }
  for (const item of [1, 2, 3]) queue.push(item);
  assert.throws(
    () => queue.push(4),
    (error) => isSluiceError(error, 'OVERLOADED'),
  );
  assert.deepEqual(
    [queue.shift(), queue.shift(), queue.shift(), queue.shift()],
    [1, 2, 3, undefined],
  );
});

test('a deadline rejects with its own code and aborts the work', async () => {
  const clock = new VirtualClock();
  let aborted = false;
  const late = withDeadline(clock, 50, 'slow', (signal) => {
    signal.addEventListener('abort', () => {
      aborted = true;
    });
    return new Promise(() => {});
  });
  clock.jump(50);
  await assert.rejects(late, (error) => isSluiceError(error, 'DEADLINE_EXCEEDED'));
  assert.ok(aborted);
  assert.equal(await withDeadline(clock, 50, 'fast', async () => 7), 7);
});

test('every error code answers the three questions, and a full disk keeps its name', () => {
  for (const traits of Object.values(errorCatalogue)) {
    assert.equal(typeof traits.retryable, 'boolean');
    assert.ok(['caller', 'us', 'dependency'].includes(traits.fault));
    assert.ok(traits.httpStatus >= 400 && traits.httpStatus < 600);
  }
  const full = Object.assign(new Error('write failed'), { code: 'ENOSPC' });
  assert.equal(toSluiceError(full).code, 'DISK_FULL');
  const known = new SluiceError('CHUNK_MISSING', 'abc: missing');
  assert.equal(toSluiceError(known), known);
});

test('a seeded random repeats itself and makes version 4 UUIDs', () => {
  const [one, two] = [new SeededRandom(7), new SeededRandom(7)];
  assert.equal(one.uuid(), two.uuid());
  assert.match(one.uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.notEqual(one.float(), one.float());
});

test('sizes are printed for people', () => {
  assert.deepEqual([0, 1536, 10 * 1024 ** 3].map(formatBytes), ['0 B', '1.5 KiB', '10.0 GiB']);
});
