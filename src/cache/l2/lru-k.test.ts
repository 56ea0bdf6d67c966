import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../../test/support/property-runs.ts';
import { LruK } from './lru-k.ts';

/** The definition, without a heap: every key's use times, evict the smallest second-last use. */
class Model {
  readonly limitBytes: number;
  readonly held = new Map<string, { sizeBytes: number; latest: number; previous: number }>();
  readonly history = new Map<string, number>();

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get(key: string, now: number): boolean {
    const entry = this.held.get(key);
    if (!entry) return false;
    entry.previous = entry.latest;
    entry.latest = now;
    return true;
  }

  set(key: string, sizeBytes: number, now: number): string[] {
    if (sizeBytes > this.limitBytes) return [key];
    const previous = this.held.get(key)?.latest ?? this.history.get(key) ?? -Infinity;
    this.held.delete(key);
    const evicted: string[] = [];
    const total = () => [...this.held.values()].reduce((sum, each) => sum + each.sizeBytes, 0);
    while (total() + sizeBytes > this.limitBytes) {
      const order = [...this.held].sort(
        ([, a], [, b]) => cmp(a.previous, b.previous) || cmp(a.latest, b.latest),
      );
      const [victim, entry] = order[0]!;
      this.held.delete(victim);
      this.history.set(victim, entry.latest);
      evicted.push(victim);
    }
    this.held.set(key, { sizeBytes, latest: now, previous });
    return evicted;
  }
}

const cmp = (a: number, b: number) => (a < b ? -1 : a > b ? 1 : 0);

test('it evicts what the definition of LRU-2 evicts', () => {
  const operation = fc.record({
    key: fc.integer({ min: 0, max: 30 }).map(String),
    sizeBytes: fc.integer({ min: 1, max: 40 }),
    kind: fc.constantFrom('get', 'set', 'set', 'delete'),
  });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 300 }), (operations) => {
      const cache = new LruK<string, string>({ limitBytes: 100, historyKeys: 1000 });
      const model = new Model(100);
      for (const [now, { key, sizeBytes, kind }] of operations.entries()) {
        if (kind === 'get') {
          assert.equal(cache.get(key, now) !== undefined, model.get(key, now));
        } else if (kind === 'set') {
          const evicted = cache.set(key, `value of ${key}`, sizeBytes, now);
          assert.deepEqual(
            evicted.map(([each]) => each),
            model.set(key, sizeBytes, now),
          );
        } else {
          assert.equal(cache.delete(key) !== undefined, model.held.delete(key));
        }
        assert.ok(cache.sizeBytes <= 100);
        assert.deepEqual([...cache.keys()].sort(), [...model.held.keys()].sort());
      }
    }),
    { numRuns: propertyRuns(500) },
  );
});

test('a scan over keys used once leaves keys used twice alone', () => {
  const cache = new LruK<string, true>({ limitBytes: 10, historyKeys: 100 });
  for (let i = 0; i < 5; i++) cache.set(`hot ${i}`, true, 1, i);
  for (let i = 0; i < 5; i++) cache.get(`hot ${i}`, 10 + i);
  for (let i = 0; i < 1000; i++) cache.set(`scan ${i}`, true, 1, 100 + i);
  for (let i = 0; i < 5; i++) assert.ok(cache.peek(`hot ${i}`), `hot ${i} stayed`);
});

test('a key that comes back after its eviction is known as used twice', () => {
  const cache = new LruK<string, true>({ limitBytes: 2, historyKeys: 10 });
  for (const [now, key] of ['a', 'b', 'c', 'a'].entries()) cache.set(key, true, 1, now);
  cache.set('d', true, 1, 10);
  cache.set('e', true, 1, 11);
  assert.ok(cache.peek('a'));
});

test('uses in one burst count once', () => {
  const cache = new LruK<string, true>({ limitBytes: 2, historyKeys: 0, correlatedMs: 50 });
  cache.set('burst', true, 1, 0);
  for (let now = 1; now < 20; now++) cache.get('burst', now);
  cache.set('once', true, 1, 30);
  assert.deepEqual(cache.set('next', true, 1, 31), [['burst', true]]);
});

test('the history is bounded', () => {
  const cache = new LruK<number, true>({ limitBytes: 1, historyKeys: 3 });
  for (let key = 0; key < 10; key++) cache.set(key, true, 1, key);
  // 6, 7 and 8 are remembered; 0 is long forgotten and so counts as new.
  cache.set(8, true, 1, 20);
  assert.deepEqual(cache.set(0, true, 1, 21), [[8, true]]);
});

test('what is larger than the limit is handed back and evicts nothing', () => {
  const cache = new LruK<string, true>({ limitBytes: 10, historyKeys: 3 });
  cache.set('small', true, 4, 0);
  assert.deepEqual(cache.set('large', true, 11, 1), [['large', true]]);
  assert.ok(cache.peek('small'));
});
