import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { isSluiceError, SeededRandom } from '../base/mod.ts';
import { ErasureCode } from './erasure-code.ts';
import { plainDotProduct } from './plain-kernel.ts';

const cases = fc
  .record({
    k: fc.integer({ min: 1, max: 32 }),
    m: fc.integer({ min: 1, max: 8 }),
    sizeBytes: fc.integer({ min: 1, max: 40_000 }),
    seed: fc.integer(),
  })
  .chain((base) => {
    const stripes = Array.from({ length: base.k + base.m }, (_, index) => index);
    return fc.record({
      base: fc.constant(base),
      lost: fc.subarray(stripes, { maxLength: base.m }),
    });
  });

test('any k of k+m stripes give the chunk back, whichever were lost', () => {
  fc.assert(
    fc.property(cases, ({ base: { k, m, sizeBytes, seed }, lost }) => {
      const code = ErasureCode.create({ k, m, chunkSizeBytes: sizeBytes });
      const chunk = new SeededRandom(seed).bytes(sizeBytes);
      const stripes = code.encode(chunk);
      assert.equal(stripes.length, k + m);
      const kept = stripes.map((stripe, index) => (lost.includes(index) ? undefined : stripe));
      assert.ok(code.reconstruct(kept).equals(chunk));
    }),
    { numRuns: propertyRuns(400) },
  );
});

test('the kernel and its plain twin make the same stripes and the same recovery', () => {
  fc.assert(
    fc.property(cases, ({ base: { k, m, sizeBytes, seed }, lost }) => {
      const options = { k, m, chunkSizeBytes: sizeBytes };
      const simd = ErasureCode.create(options);
      const plain = ErasureCode.create({ ...options, dotProduct: plainDotProduct });
      const chunk = new SeededRandom(seed).bytes(sizeBytes);
      const stripes = simd.encode(chunk);
      assert.deepEqual(plain.encode(chunk), stripes);
      const kept = stripes.map((stripe, index) => (lost.includes(index) ? undefined : stripe));
      assert.ok(plain.reconstruct(kept).equals(simd.reconstruct(kept)));
    }),
    { numRuns: propertyRuns(150) },
  );
});

test('4+2: every way to lose two stripes of a whole chunk is repaired', () => {
  const code = ErasureCode.create({ k: 4, m: 2 });
  const chunk = new SeededRandom(7).bytes(code.chunkSizeBytes);
  const stripes = code.encode(chunk);
  for (let a = 0; a < 6; a++) {
    for (let b = a + 1; b < 6; b++) {
      const kept = stripes.map((stripe, index) =>
        index === a || index === b ? undefined : stripe,
      );
      assert.ok(code.reconstruct(kept).equals(chunk), `lost ${a} and ${b}`);
    }
  }
});

test('the parity of k+1 is the XOR of the data, and the first parity of k+2 is the same', () => {
  const chunk = new SeededRandom(3).bytes(4 * 64);
  const one = ErasureCode.create({ k: 4, m: 1, chunkSizeBytes: chunk.length }).encode(chunk);
  const two = ErasureCode.create({ k: 4, m: 2, chunkSizeBytes: chunk.length }).encode(chunk);
  const expected = Uint8Array.from(
    { length: 64 },
    (_, i) => chunk[i]! ^ chunk[64 + i]! ^ chunk[128 + i]! ^ chunk[192 + i]!,
  );
  assert.ok(expected.every((byte, i) => byte === one[4]![i]));
  assert.ok(expected.every((byte, i) => byte === two[4]![i]));
});

test('stripes at odd addresses, as a network buffer may hold them, are summed as well', () => {
  const code = ErasureCode.create({ k: 4, m: 1, chunkSizeBytes: 4096 });
  const chunk = new SeededRandom(5).bytes(4096);
  const shifted = code.encode(chunk).map((stripe) => {
    const view = Buffer.allocUnsafeSlow(stripe.length + 1).subarray(1);
    view.set(stripe);
    return view;
  });
  assert.ok(code.reconstruct([undefined, ...shifted.slice(1)]).equals(chunk));
});

test('too few stripes, a short stripe and an impossible code are refused by code', () => {
  const code = ErasureCode.create({ k: 2, m: 1, chunkSizeBytes: 256 });
  const [first, second] = code.encode(Buffer.alloc(256));
  assert.throws(
    () => code.reconstruct([first, undefined, undefined]),
    (error) => isSluiceError(error, 'CHUNK_MISSING'),
  );
  assert.throws(
    () => code.reconstruct([first, second!.subarray(1), undefined]),
    (error) => isSluiceError(error, 'CHUNK_CORRUPT'),
  );
  for (const [k, m] of [
    [0, 1],
    [4, 0],
    [33, 1],
    [4, 9],
    [4.5, 1],
  ] as const) {
    assert.throws(
      () => ErasureCode.create({ k, m }),
      (error) => isSluiceError(error, 'CONFIG_INVALID'),
    );
  }
});
