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

test('retrying: an outage is waited out, as long as the caller has patience', async () => {
  const clock = new VirtualClock();
  const few = failing(20, unavailable);
  const got = retryingObjects(few.store, clock, new SeededRandom(1), 5 * 60_000).get('a');
  await clock.advance(5 * 60_000);
  assert.equal(String(await got), 'at last');
  const many = failing(Number.POSITIVE_INFINITY, unavailable);
  const hopeless = retryingObjects(many.store, clock, new SeededRandom(1), 10_000).get('a');
  hopeless.catch(() => {});
  await clock.advance(10_000);
  await assert.rejects(hopeless, { code: 'ORIGIN_UNAVAILABLE' });
});

test('retrying: when the store is back, all who waited have their answers at once', async () => {
  const clock = new VirtualClock();
  let isOut = true;
  const store = new OwnGet(async () => {
    if (isOut) throw unavailable();
    return Buffer.from('back');
  });
  const retrying = retryingObjects(store, clock, new SeededRandom(1), 60_000);
  const gets = Array.from({ length: 100 }, () => retrying.get('a'));
  let answered = 0;
  for (const get of gets)
    void get.then(
      () => answered++,
      () => {},
    );
  await clock.advance(20_000);
  isOut = false;
  await clock.advance(limits.origin.retryWaitMsMost + 2000);
  assert.equal(answered, gets.length);
});

test('retrying: does not retry what will not pass', async () => {
  for (const code of ['ACCESS_DENIED', 'DISK_FULL', 'CONFIG_INVALID'] as const) {
    const { store, calls } = failing(1, () => new SluiceError(code, 'no'));
    const retrying = retryingObjects(store, new VirtualClock(), new SeededRandom(1));
    await assert.rejects(retrying.get('a'), { code });
    assert.equal(calls(), 1, code);
  }
});

test('retrying: all callers share one budget, so a dead store sees hardly more load', async () => {
  const clock = new VirtualClock();
  const { store, calls } = failing(Number.POSITIVE_INFINITY, unavailable);
  const retrying = retryingObjects(store, clock, new SeededRandom(1), 10_000);
  const gets = Promise.allSettled(Array.from({ length: 200 }, () => retrying.get('a')));
  await clock.advance(10_000);
  await gets;
  const { tokensMax, perSecond } = limits.origin.retryTokens;
  assert.ok(calls() > 200 + tokensMax);
  assert.ok(calls() <= 200 + tokensMax + 10 * perSecond, `${calls()} calls`);
});

test('retrying: stops once the caller has gone', async () => {
  const gone = failing(1000, unavailable);
  const retrying = retryingObjects(gone.store, new VirtualClock(), new SeededRandom(1));
  await assert.rejects(retrying.get('a', AbortSignal.abort()), { code: 'ORIGIN_UNAVAILABLE' });
  assert.equal(gone.calls(), 1);
});

test('a budget refills by successes and by time, to its limit', () => {
  const budget = new RetryBudget(
    { tokensMax: 2, perSuccess: 0.5, perRecovery: 2, perSecond: 1 },
    0,
  );
  const spend = (nowMs: number) => budget.trySpend(nowMs);
  assert.deepEqual([spend(0), spend(0), spend(0)], [true, true, false]);
  budget.earn(false);
  assert.equal(spend(0), false);
  budget.earn(false);
  assert.equal(spend(0), true);
  assert.deepEqual([spend(999), spend(1000)], [false, true]);
  budget.earn(true);
  assert.deepEqual([spend(1000), spend(1000), spend(1000)], [true, true, false]);
  assert.deepEqual([spend(1e6), spend(1e6), spend(1e6)], [true, true, false]);
});

test('limited: a number run, a number wait, the rest are refused at once', async () => {
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
