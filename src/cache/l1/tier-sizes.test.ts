import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GIB, limits, MIB } from '../../base/mod.ts';
import { oneMoreTier, tierSizes } from './tier-sizes.ts';

const host = { memoryBytes: 8 * GIB, diskBytes: 100 * GIB, freeBytes: 80 * GIB };

test('tiers are shares of the host, within bounds', () => {
  assert.deepEqual(tierSizes(host), { memoryBytes: 512 * MIB, slabBytes: 25 * GIB });
  assert.equal(tierSizes({ ...host, freeBytes: 6 * GIB }).slabBytes, 3 * GIB);
  const small = tierSizes({ memoryBytes: 512 * MIB, diskBytes: 1 * GIB, freeBytes: 0 });
  assert.deepEqual(small, {
    memoryBytes: limits.cache.memoryBytesLeast,
    slabBytes: limits.cache.slabBytesLeast,
  });
  const large = tierSizes({
    ...{ memoryBytes: 2048 * GIB, diskBytes: 9000 * GIB, freeBytes: 9000 * GIB },
  });
  assert.deepEqual(large, {
    memoryBytes: limits.cache.memoryBytesMost,
    slabBytes: limits.cache.slabBytesMost,
  });
});

test('the operator’s choice takes precedence', () => {
  assert.deepEqual(tierSizes(host, { slabBytes: 1 * GIB }), {
    memoryBytes: 512 * MIB,
    slabBytes: 1 * GIB,
  });
  assert.equal(tierSizes(host, { memoryBytes: 64 * MIB }).memoryBytes, 64 * MIB);
});

test('a slab keeps its size while it fills the disk, and loses it only when it is far off', () => {
  const slabOf = (limitBytes: number, takenBytes: number, freeBytes: number) =>
    tierSizes({ ...host, freeBytes, slab: { limitBytes, takenBytes } }).slabBytes;
  assert.equal(slabOf(25 * GIB, 25 * GIB, 55 * GIB), 25 * GIB);
  assert.equal(slabOf(25 * GIB, 25 * GIB, 5 * GIB), 25 * GIB);
  assert.equal(slabOf(20 * GIB, 0, 80 * GIB), 20 * GIB);
  assert.equal(slabOf(8 * GIB, 8 * GIB, 72 * GIB), 25 * GIB);
  assert.equal(slabOf(60 * GIB, 0, 10 * GIB), 5 * GIB);
});

test('many agents together take a share of the host’s memory, and a little for each that is late', () => {
  const alone = tierSizes(host).memoryBytes;
  const taken: number[] = [];
  for (let i = 0; i < 100; i++) taken.push(oneMoreTier(alone, host.memoryBytes, taken));
  assert.deepEqual(taken.slice(0, 3), [alone, alone, alone]);
  const late = taken.filter((bytes) => bytes === limits.cache.memoryBytesLate).length;
  const sum = taken.reduce((all, bytes) => all + bytes, 0);
  const share = host.memoryBytes * limits.cache.memoryHostShare;
  assert.ok(sum <= share + late * limits.cache.memoryBytesLate);
  assert.equal(oneMoreTier(alone, host.memoryBytes, []), alone, 'when they have ended');
  assert.equal(oneMoreTier(8 * MIB, host.memoryBytes, taken), 8 * MIB);
});
