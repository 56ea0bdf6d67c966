import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { limits, SeededRandom, SluiceError, systemClock, VirtualClock } from '../base/mod.ts';
import {
  limitedObjects,
  MemoryObjects,
  meteredObjects,
  type ObjectStore,
  retryingObjects,
} from './mod.ts';
import { objectStoreConformance } from './object-store.conformance.ts';
import { collect } from './origin.fixture.ts';
import { RetryBudget } from './retry-budget.ts';

const unavailable = () => new SluiceError('ORIGIN_UNAVAILABLE', 'not now');
const noWait = { ...systemClock, sleep: async () => {} };
const nothing = () => ({ add: () => {}, set: () => {}, observe: () => {} });

objectStoreConformance('retrying objects', async () =>
  retryingObjects(new MemoryObjects(), systemClock, new SeededRandom(1)),
);
objectStoreConformance('limited objects', async () => limitedObjects(new MemoryObjects(), 3, 100));
objectStoreConformance('metered objects', async () =>
  meteredObjects(new MemoryObjects(), systemClock, {
    ...{ counter: nothing, gauge: nothing, histogram: nothing },
  }),
);

/** Objects in memory, but for how they are got. */
class OwnGet extends MemoryObjects {
  readonly #get: (key: string) => Promise<Buffer | undefined>;

  constructor(get: (key: string) => Promise<Buffer | undefined>) {
    super();
    this.#get = get;
  }

  override get(key: string): Promise<Buffer | undefined> {
    return this.#get(key);
  }
}

/** Objects whose gets fail as often as told, then answer. */
function failing(times: number, error: () => Error): { store: ObjectStore; calls: () => number } {
  let calls = 0;
  const store = new OwnGet(async () => {
    calls++;
    if (calls <= times) throw error();
    return Buffer.from('at last');
  });
  return { store, calls: () => calls };
}

test('retrying: tries what may pass again, and not for ever', async () => {
  const few = failing(limits.origin.attempts - 1, unavailable);
  const store = retryingObjects(few.store, noWait, new SeededRandom(1));
  assert.equal(String(await store.get('a')), 'at last');
  const many = failing(1000, unavailable);
  const hopeless = retryingObjects(many.store, noWait, new SeededRandom(1));
  await assert.rejects(hopeless.get('a'), { code: 'ORIGIN_UNAVAILABLE' });
  assert.equal(many.calls(), limits.origin.attempts);
});

test('retrying: leaves alone what will not pass', async () => {
  for (const code of ['ACCESS_DENIED', 'DISK_FULL', 'CONFIG_INVALID'] as const) {
    const { store, calls } = failing(1, () => new SluiceError(code, 'no'));
    await assert.rejects(retryingObjects(store, noWait, new SeededRandom(1)).get('a'), { code });
    assert.equal(calls(), 1, code);
  }
});

test('retrying: all callers share one budget, so a dead store sees hardly more load', async () => {
  const { store, calls } = failing(Number.POSITIVE_INFINITY, unavailable);
  const retrying = retryingObjects(store, noWait, new SeededRandom(1));
  const gets = Array.from({ length: 1000 }, () => retrying.get('a'));
  await Promise.allSettled(gets);
  assert.equal(calls(), 1000 + limits.origin.retryTokens);
});

test('retrying: waits longer each time, and not once the caller has gone', async () => {
  const clock = new VirtualClock();
  const waits: number[] = [];
  const watched = {
    ...noWait,
    sleep: async (delayMs: number) => {
      waits.push(delayMs);
    },
    nowMs: () => clock.nowMs(),
  };
  const always = { ...new SeededRandom(1), float: () => 0.5, bytes: Buffer.alloc, uuid: String };
  const { store } = failing(1000, unavailable);
  await assert.rejects(retryingObjects(store, watched, always).get('a'));
  const { retryWaitMs } = limits.origin;
  assert.deepEqual(waits, [retryWaitMs / 2, retryWaitMs, retryWaitMs * 2]);
  const gone = failing(1000, unavailable);
  await assert.rejects(retryingObjects(gone.store, watched, always).get('a', AbortSignal.abort()));
  assert.equal(gone.calls(), 1);
});

test('a budget refills by successes, to its limit', () => {
  const budget = new RetryBudget(2, 0.5);
  assert.deepEqual([budget.trySpend(), budget.trySpend(), budget.trySpend()], [true, true, false]);
  budget.earn();
  assert.equal(budget.trySpend(), false);
  budget.earn();
  assert.equal(budget.trySpend(), true);
  for (let i = 0; i < 100; i++) budget.earn();
  assert.equal(budget.tokens, 2);
});

test('limited: so many at once, so many waiting, the rest refused at once', async () => {
  const waiting: (() => void)[] = [];
  const slow = new OwnGet(() => new Promise((resolve) => waiting.push(() => resolve(undefined))));
  const store = limitedObjects(slow, 2, 1);
  const gets = [store.get('a'), store.get('b'), store.get('c')];
  await assert.rejects(store.get('d'), { code: 'OVERLOADED' });
  assert.equal(waiting.length, 2);
  waiting.shift()?.();
  await gets[0];
  await setImmediate();
  assert.equal(waiting.length, 2);
  for (const release of waiting) release();
  await Promise.all(gets);
});

test('metered: counts what moved, how long it took and how it ended', async () => {
  const seen: [string, number, object][] = [];
  const record = (name: string) => ({
    add: (value = 1, labels = {}) => void seen.push([name, value, labels]),
    set: () => {},
    observe: (value: number, labels = {}) => void seen.push([name, value, labels]),
  });
  const meter = { counter: record, gauge: record, histogram: record };
  const clock = new VirtualClock();
  const slow = new OwnGet(async (key) => {
    clock.jump(250);
    if (key === 'bad') throw unavailable();
    return Buffer.alloc(7);
  });
  const store = meteredObjects(slow, clock, meter);
  await store.putIfAbsent('a', Buffer.alloc(7));
  await store.putIfAbsent('a', Buffer.alloc(7));
  await store.get('a');
  await assert.rejects(store.get('bad'));
  assert.deepEqual(await collect(store.list('a/')), []);
  const bytes = seen.filter(([name]) => name === 'sluice_origin_bytes_total');
  assert.deepEqual(
    bytes.map(([, value, labels]) => [value, labels]),
    [
      [7, { direction: 'in' }],
      [7, { direction: 'out' }],
    ],
  );
  const gets = seen.filter(
    ([, , labels]) => (labels as { operation?: string }).operation === 'get',
  );
  assert.deepEqual(
    gets.map(([, value, labels]) => [value, labels]),
    [
      [0.25, { operation: 'get', outcome: 'ok' }],
      [0.25, { operation: 'get', outcome: 'ORIGIN_UNAVAILABLE' }],
    ],
  );
});
