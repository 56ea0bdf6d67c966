import type { DiskString } from './entry.ts';

/** A 32-bit hash of a byte string (FNV-1a, then mixed so that all bits depend on all bytes). */
function hashBytes(text: DiskString): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * How many slots to offer to `count` keys: a third more at least, so that few want the same, and in
 * coarse steps, so that a few keys more or less hardly ever change the number, and all places with
 * it.
 */
export function slotsFor(count: number): number {
  let slots = 4;
  while (slots * 0.75 < count) slots = slots % 3 === 0 ? (slots / 3) * 4 : (slots / 2) * 3;
  return slots;
}

export interface Run {
  readonly key: DiskString;
  readonly length: number;
}

/** Where each run begins, and how many slots they need together. */
export interface Places {
  readonly first: readonly number[];
  readonly slots: number;
}

/**
 * Gives each run of slots a place that depends on its key and hardly on the others: the first one
 * from its hash on that is free. A run that comes or goes moves few others, where putting them one
 * after another would move all behind it. One that fits nowhere goes behind all slots.
 */
export function placeByHash(runs: readonly Run[], slots: number): Places {
  const taken = new Uint8Array(slots);
  let end = slots;
  const first = runs.map(({ key, length }) => {
    const slot = findRoom(taken, hashBytes(key) % slots, length);
    if (slot !== undefined) taken.fill(1, slot, slot + length);
    else end += length;
    return slot ?? end - length;
  });
  return { first, slots: end };
}

/** The first of `length` free slots in a row, from `wanted` to the end and then from the start. */
function findRoom(taken: Uint8Array, wanted: number, length: number): number | undefined {
  for (const start of [wanted, 0]) {
    let free = 0;
    for (let slot = start; slot < taken.length; slot++) {
      free = taken[slot] ? 0 : free + 1;
      if (free === length) return slot - length + 1;
    }
  }
  return undefined;
}
