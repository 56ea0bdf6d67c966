import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { placeByHash, slotsFor } from './placement.ts';

const runs = fc.array(
  fc.record({ key: fc.string({ maxLength: 20 }), length: fc.integer({ min: 1, max: 40 }) }),
  { maxLength: 100 },
);

test('runs overlap nowhere, whatever their lengths', () => {
  fc.assert(
    fc.property(runs, fc.nat(500), (all, slots) => {
      const places = placeByHash(all, slots);
      const taken = new Set<number>();
      all.forEach(({ length }, i) => {
        for (let k = 0; k < length; k++) {
          const slot = places.first[i]! + k;
          assert.ok(slot >= 0 && slot < places.slots && !taken.has(slot));
          taken.add(slot);
        }
      });
    }),
    { numRuns: propertyRuns(300) },
  );
});

test('there is a third more slots than keys, and at most twice as many and a half', () => {
  for (let count = 4; count < 10_000; count += 7) {
    const slots = slotsFor(count);
    assert.ok(slots * 0.75 >= count && slots <= count * 2.5, `${count} keys, ${slots} slots`);
  }
});

test('one more key moves few others', () => {
  const keys = Array.from({ length: 700 }, (_, i) => ({ key: `key ${i}`, length: 1 }));
  const before = placeByHash(keys, 1024).first;
  const after = placeByHash([{ key: 'another', length: 1 }, ...keys], 1024).first.slice(1);
  assert.ok(before.filter((slot, i) => slot !== after[i]).length < 20);
});
