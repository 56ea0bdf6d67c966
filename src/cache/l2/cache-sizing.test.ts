import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../../test/support/property-runs.ts';
import { SeededRandom } from '../../base/mod.ts';
import { CacheSizing, missShareAt } from './cache-sizing.ts';
import { MissRatioCurve } from './miss-ratio-curve.ts';

const nameOf = (chunk: number) => hash('sha256', String(chunk));

/** Misses of an LRU cache of `size` chunks, by running one. */
function missesOfLru(loads: readonly number[], size: number): number {
  const held = new Set<number>();
  let misses = 0;
  for (const chunk of loads) {
    if (!held.delete(chunk)) misses++;
    held.add(chunk);
    if (held.size > size) held.delete([...held][0]!);
  }
  return misses;
}

test('the curve is what running an LRU cache of every size gives', () => {
  const trace = fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(trace, (loads) => {
      const curve = new MissRatioCurve({ chunkBytes: 100 });
      for (const chunk of loads) curve.add(nameOf(chunk));
      const points = curve.points();
      for (let size = 0; size <= 14; size++) {
        const expected = missesOfLru(loads, size) / loads.length;
        assert.ok(Math.abs(missShareAt(points, size * 100) - expected) < 1e-9, `size ${size}`);
      }
    }),
    { numRuns: propertyRuns(300) },
  );
});

/** Loads of chunks with Zipf popularity. */
function zipfLoads(chunks: number, loads: number): number[] {
  const random = new SeededRandom(7);
  const shares = Array.from({ length: chunks }, (_, i) => 1 / (i + 1));
  const total = shares.reduce((sum, share) => sum + share, 0);
  let sum = 0;
  const cumulative = shares.map((share) => (sum += share / total));
  return Array.from({ length: loads }, () => {
    const at = random.float();
    let [low, high] = [0, chunks - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulative[middle]! < at) low = middle + 1;
      else high = middle;
    }
    return low;
  });
}

test('a sample of a tenth of the chunks gives nearly the curve of all', () => {
  const whole = new MissRatioCurve({ chunkBytes: 1 });
  const sample = new MissRatioCurve({ chunkBytes: 1, sampleShare: 0.1 });
  for (const chunk of zipfLoads(20_000, 200_000)) {
    whole.add(nameOf(chunk));
    sample.add(nameOf(chunk));
  }
  assert.ok(sample.followedChunks < 0.15 * whole.followedChunks);
  const [all, some] = [whole.points(), sample.points()];
  let worst = 0;
  for (let size = 500; size < 18_000; size += 500) {
    worst = Math.max(worst, Math.abs(missShareAt(all, size) - missShareAt(some, size)));
  }
  assert.ok(worst < 0.05, `off by ${worst}`);
});

const CHUNK_BYTES = 512 * 1024;
/** A chunk costs 1 to fetch, and 1 to hold for 300 s. */
const fiveMinutes = {
  gibibyteMonth: (2 ** 30 / CHUNK_BYTES) * ((30 * 24 * 3600) / 300),
  originGet: 1,
};

test('the size for cost holds what is used again within the break-even time', () => {
  const sizing = new CacheSizing({
    ...{ chunkBytes: CHUNK_BYTES, hitShareGoal: 0.5, codeOverhead: 1, prices: fiveMinutes },
  });
  // Ten chunks every 60 s, and each minute one that is never used again.
  for (let minute = 0; minute < 1000; minute++) {
    for (let chunk = 0; chunk < 10; chunk++) sizing.add(minute * 60_000, nameOf(chunk));
    sizing.add(minute * 60_000, nameOf(1000 + minute));
  }
  const size = sizing.result();
  assert.ok(Math.abs(size.breakEvenSeconds - 300) < 1e-6);
  // The ten stay, and the passers-by stay for five minutes each.
  const chunks = size.sizeForCostBytes / CHUNK_BYTES;
  assert.ok(Math.abs(chunks - 15) < 0.1, `${chunks} chunks`);
  assert.ok(Math.abs(size.hitShareMost - 10 / 11) < 0.001);
});

test('the larger of the two sizes is taken, and an unreachable goal is reported', () => {
  const sizingWith = (hitShareGoal: number, originGet: number) => {
    const prices = { ...fiveMinutes, originGet };
    const sizing = new CacheSizing({
      ...{ chunkBytes: CHUNK_BYTES, hitShareGoal, codeOverhead: 1.25, prices },
    });
    for (let i = 0; i < 5000; i++) sizing.add(i * 1000, nameOf(i % 50));
    return sizing.result();
  };
  const cheapOrigin = sizingWith(0.9, 0.001);
  assert.equal(cheapOrigin.sizeForHitShareBytes, 50 * CHUNK_BYTES);
  assert.equal(cheapOrigin.sizeBytes, 50 * CHUNK_BYTES);
  assert.equal(cheapOrigin.storedBytes, 62.5 * CHUNK_BYTES);
  assert.ok(cheapOrigin.hitShareAtSize > 0.9);

  const outOfReach = sizingWith(0.999, 1);
  assert.equal(outOfReach.sizeForHitShareBytes, undefined);
  assert.ok(outOfReach.sizeForCostBytes > 45 * CHUNK_BYTES);
  assert.ok(outOfReach.hitShareMost < 0.999);
});

test('an empty trace gives a size of zero', () => {
  const sizing = new CacheSizing({
    ...{ chunkBytes: CHUNK_BYTES, hitShareGoal: 0.9, codeOverhead: 1, prices: fiveMinutes },
  });
  const { sizeBytes, hitShareAtSize, curve } = sizing.result();
  assert.deepEqual({ sizeBytes, hitShareAtSize }, { sizeBytes: 0, hitShareAtSize: 0 });
  assert.deepEqual(curve, [{ sizeBytes: 0, missShare: 1 }]);
});
