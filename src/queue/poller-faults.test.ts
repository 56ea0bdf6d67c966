import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { limits, noLogger, VirtualClock } from '../base/mod.ts';
import type { EventPolicy, EventResult } from './decide.ts';
import { eventOf } from './event-store.conformance.ts';
import { MemoryEventQueue } from './memory-event-queue.fixture.ts';
import { Poller, type PollerOptions } from './poller.ts';
import type { Delivery, StoredEvent } from './types.ts';

const ok: EventResult = { kind: 'ok', executedVersion: '1', payload: Buffer.from('{}') };
const policy: EventPolicy = {
  ...{ functionArn: 'arn:f', maximumRetryAttempts: 0, maximumEventAgeMs: 3600_000 },
  ...{ onSuccess: 'good', onFailure: 'bad', deadLetter: 'dead' },
};

/** A poller whose function, store and destinations fail as a test says. */
function bench(t: TestContext, more: Partial<PollerOptions> = {}) {
  const clock = new VirtualClock(1_763_700_000_000);
  const startMs = clock.nowMs();
  const store = new MemoryEventQueue();
  const asked = {
    invoke: async (_event: StoredEvent): Promise<EventResult> => ok,
    deliver: async (_delivery: Delivery): Promise<void> => {},
    isThere: true,
  };
  const poller = new Poller({
    ...{ store, clock, logger: noLogger },
    functions: {
      resolve: async (event) =>
        asked.isThere ? { policy, invoke: () => asked.invoke(event) } : undefined,
    },
    destinations: { deliver: (delivery) => asked.deliver(delivery) },
    ...more,
  });
  t.after(() => poller.close());
  const enqueue = async (n = 1, functionName = 'f') => {
    await store.enqueue(eventOf(n, { functionName, receivedMs: clock.nowMs() }));
    poller.wake();
  };
  const sinceStart = () => clock.nowMs() - startMs;
  return { clock, store, poller, asked, enqueue, sinceStart, startMs };
}

test('an event whose function is gone is told to nobody and remembered as failed', async (t) => {
  const { clock, store, asked, enqueue, startMs } = bench(t);
  asked.isThere = false;
  asked.deliver = async () => assert.fail('nobody is left to tell');
  await enqueue();
  await clock.advance(0);
  const whose = { requestId: 'r-1', accountId: '000000000000', functionName: 'f' };
  assert.deepEqual(await store.failures('000000000000', 9), [
    { ...whose, condition: 'FunctionDeleted', invokes: 0, failedMs: startMs },
  ]);
  assert.equal((await store.stats()).events, 0);
});

test('an event that succeeded is not remembered as failed', async (t) => {
  const { clock, store, enqueue } = bench(t);
  await enqueue();
  await clock.advance(0);
  assert.deepEqual(await store.failures('000000000000', 9), []);
  assert.equal((await store.stats()).events, 0);
});

test('an attempt that throws counts as refused: the event comes again in a second', async (t) => {
  const { clock, asked, enqueue, sinceStart } = bench(t);
  const attempts: number[] = [];
  asked.invoke = async () => {
    attempts.push(sinceStart());
    if (attempts.length === 1) throw new Error('a fault of ours');
    return ok;
  };
  await enqueue();
  await clock.advance(10_000);
  assert.deepEqual(attempts, [0, 1000]);
});

test('between events the poller sleeps until the next is due, by one timer', async (t) => {
  const { clock, store, asked, enqueue, poller } = bench(t);
  let claims = 0;
  const claim = store.claim.bind(store);
  store.claim = (...args) => {
    claims++;
    return claim(...args);
  };
  poller.wake();
  await clock.advance(60_000);
  assert.deepEqual([claims, clock.pending], [1, 0], 'an empty queue needs no timer');
  asked.invoke = async () => ({ kind: 'refused' });
  await enqueue(1, 'f');
  await enqueue(2, 'g');
  await clock.advance(0);
  assert.equal(clock.pending, 1);
  claims = 0;
  await clock.advance(999);
  assert.equal(claims, 0);
  await clock.advance(1);
  assert.ok(claims > 0);
});

test('a queue that cannot be read is read again, and its events run', async (t) => {
  const { clock, store, asked, enqueue, sinceStart } = bench(t);
  const claim = store.claim.bind(store);
  let failures = 2;
  store.claim = async (...args) => {
    if (failures-- > 0) throw new Error('the disk is gone');
    return claim(...args);
  };
  let ranMs = -1;
  asked.invoke = async () => {
    ranMs = sinceStart();
    return ok;
  };
  await enqueue();
  await clock.advance(10_000);
  assert.equal(ranMs, 2 * limits.queue.backoffMinMs);
});

test('a queue that cannot be written is written again, later each time up to a bound', async (t) => {
  const times = { retryDelaysMs: [], backoffMinMs: 100, backoffMaxMs: 300 };
  const { clock, store, enqueue, sinceStart } = bench(t, { times });
  const remove = store.remove.bind(store);
  const tries: number[] = [];
  store.remove = async (...args) => {
    tries.push(sinceStart());
    if (tries.length < 5) throw new Error('the disk is full');
    return remove(...args);
  };
  await enqueue();
  await clock.advance(2000);
  assert.deepEqual(tries, [0, 100, 300, 600, 900]);
  assert.equal((await store.stats()).events, 0);
});

test('closing does not wait for a disk that stays full: the next start finishes the event', async (t) => {
  const { clock, store, poller, enqueue } = bench(t);
  store.remove = async () => {
    throw new Error('the disk is full');
  };
  await enqueue();
  await clock.advance(1500);
  await clock.until(poller.close());
  assert.equal((await store.stats()).events, 1);
});

test('what was delivered is not delivered again; what was not is tried five times', async (t) => {
  const { clock, store, asked, enqueue, sinceStart } = bench(t);
  const tries: [target: string, atMs: number][] = [];
  asked.invoke = async () => ({ ...ok, kind: 'function-error' });
  asked.deliver = async ({ target }) => {
    tries.push([target, sinceStart()]);
    if (target === 'dead') throw new Error('no such queue');
  };
  await enqueue();
  await clock.advance(3600_000);
  const waits = [0, 1000, 5000, 21_000, 85_000];
  assert.equal(limits.queue.deliveryAttempts, waits.length);
  assert.deepEqual(tries, [['bad', 0], ...waits.map((atMs) => ['dead', atMs])]);
  const [failure] = await store.failures('000000000000', 9);
  assert.deepEqual([failure?.condition, failure?.invokes], ['RetriesExhausted', 1]);
  assert.equal((await store.stats()).events, 0);
});

test('deliveries wait no longer than the longest backoff', async (t) => {
  const times = { retryDelaysMs: [], backoffMinMs: 1000, backoffMaxMs: 2000 };
  const { clock, asked, enqueue, sinceStart } = bench(t, { times });
  const tries: number[] = [];
  asked.deliver = async () => {
    tries.push(sinceStart());
    throw new Error('no answer');
  };
  await enqueue();
  await clock.advance(60_000);
  assert.deepEqual(tries, [0, 1000, 3000, 5000, 7000]);
});

test('an event that an earlier life ended is told, and not run again', async (t) => {
  const { clock, store, asked, poller } = bench(t);
  await store.enqueue(eventOf(1, { receivedMs: clock.nowMs() }));
  const [claimed] = await store.claim(clock.nowMs(), 1);
  const delivery: Delivery = { kind: 'destination', target: 'good', body: '{}', attributes: {} };
  const ending = { condition: 'Success', deliveries: [delivery], attempts: 0 } as const;
  const progress = { visibleAtMs: clock.nowMs(), invokes: 1, refusals: 0, ending };
  await store.save(claimed?.eventId ?? 0, progress, true);
  const told: string[] = [];
  asked.invoke = async () => assert.fail('it has run');
  asked.deliver = async ({ target }) => void told.push(target);
  poller.wake();
  await clock.advance(0);
  assert.deepEqual(told, ['good']);
  assert.equal((await store.stats()).events, 0);
});

test('so many events run at once and no more; the next begins when one ends', async (t) => {
  const { clock, asked, enqueue } = bench(t, { invokesAtOnce: 2 });
  let running = 0;
  let most = 0;
  let ran = 0;
  asked.invoke = async () => {
    most = Math.max(most, ++running);
    await clock.sleep(1000);
    running--;
    ran++;
    return ok;
  };
  for (const n of [1, 2, 3, 4, 5]) await enqueue(n, `f${n}`);
  await clock.advance(0);
  assert.equal(running, 2);
  await clock.advance(1000);
  assert.deepEqual([running, ran], [2, 2], 'nobody waits for a timer');
  await clock.advance(2000);
  assert.deepEqual([running, ran, most], [0, 5, 2]);
});

test('closing waits for what is under way and begins nothing more', async (t) => {
  const { clock, store, poller, asked, enqueue } = bench(t, { invokesAtOnce: 1 });
  let ran = 0;
  asked.invoke = async () => {
    await clock.sleep(1000);
    ran++;
    return ok;
  };
  await enqueue(1, 'f');
  await enqueue(2, 'g');
  await clock.advance(500);
  let closed = false;
  const closing = poller.close().then(() => {
    closed = true;
  });
  await clock.advance(499);
  assert.equal(closed, false);
  await clock.until(closing);
  poller.wake();
  await clock.advance(60_000);
  assert.equal(ran, 1);
  assert.deepEqual([(await store.stats()).events, clock.pending], [1, 0]);
});

test('closing ends the wait for what is due later', async (t) => {
  const { clock, poller, asked, enqueue } = bench(t);
  asked.invoke = async () => ({ kind: 'refused' });
  await enqueue();
  await clock.advance(0);
  assert.equal(clock.pending, 1);
  await clock.until(poller.close());
  assert.equal(clock.pending, 0);
});
