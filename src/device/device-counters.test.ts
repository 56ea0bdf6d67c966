import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../base/mod.ts';
import { DeviceCounters } from './device-counters.ts';
import { TierWatch } from './tier-watch.ts';

test('a read counts once, for the farthest tier that it needed', () => {
  const counters = new DeviceCounters();
  counters.begin(0);
  counters.used('memory');
  counters.used('zero');
  counters.read(4096, 0);
  counters.begin(0, 'origin');
  counters.used('memory');
  counters.read(100, 0);
  counters.begin(0);
  counters.read(1, 0);
  const { tiers, reads, readBytes } = counters.stats(0);
  const counted = Object.entries(tiers).map(([tier, each]) => [tier, each.reads, each.bytes]);
  assert.deepEqual(counted, [
    ['zero', 1, 1],
    ['overlay', 0, 0],
    ['memory', 1, 4096],
    ['slab', 0, 0],
    ['l2', 0, 0],
    ['origin', 1, 100],
  ]);
  assert.deepEqual([reads, readBytes], [3, 4197]);
});

test('a latency is counted under the next power of two of microseconds', () => {
  const bucketOf = (latencyMs: number) => {
    const counters = new DeviceCounters();
    counters.begin(0, 'l2');
    counters.read(1, latencyMs);
    const { latencyUs } = counters.stats(0).tiers.l2;
    assert.equal(latencyUs.length, 25);
    assert.equal(
      latencyUs.reduce((sum, each) => sum + each, 0),
      1,
    );
    return latencyUs.indexOf(1);
  };
  const buckets = [0, 0.001, 0.003, 0.004, 1, 1.024, 8000, 60_000, 3_600_000].map(bucketOf);
  assert.deepEqual(buckets, [0, 1, 2, 3, 10, 11, 23, 24, 24]);
});

test('everything else is counted by itself', () => {
  const counters = new DeviceCounters();
  counters.wrote(10);
  counters.wrote(5);
  counters.fetched(7);
  counters.fetched(8);
  counters.prefetched();
  counters.prefetched();
  counters.prefetched();
  counters.usedPrefetched();
  counters.usedPrefetched();
  counters.failed(new SluiceError('CHUNK_MISSING', 'gone'));
  const { tiers: _, ...stats } = counters.stats(12_288);
  assert.deepEqual(stats, {
    ...{ reads: 0, readBytes: 0, writes: 2, writtenBytes: 15, failedReads: 1 },
    ...{ chunksFetched: 2, bytesFetched: 15, chunksPrefetched: 3, prefetchedUsed: 2 },
    ...{ overlayBytes: 12_288, lastFailure: 'CHUNK_MISSING' },
  });
});

test('the tier that answered is the farthest one that was asked, told once', async () => {
  const told: string[] = [];
  const watch = new TierWatch((tier) => told.push(tier));
  const bytes = Buffer.from('chunk');
  const origin = watch.watch('origin', { get: async () => bytes });
  const slab = watch.watch('slab', { get: (ref, signal) => origin.get(ref, signal) });
  const ref = { rootId: 'r', name: 'c' };
  assert.equal(await slab.get(ref), bytes);
  assert.deepEqual(told, ['origin']);
  assert.deepEqual([watch.take('c'), watch.take('c')], ['origin', 'memory']);
  await watch.watch('slab', { get: async () => bytes }).get(ref);
  assert.equal(watch.take('c'), 'slab');
  watch.nearAnswered('slab');
  assert.deepEqual(told, ['origin', 'slab', 'slab']);
});
