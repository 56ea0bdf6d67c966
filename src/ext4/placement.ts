import { assert } from '../base/mod.ts';
import type { ByteString } from './entry.ts';

/** A 32-bit hash of a byte string (FNV-1a, then mixed so that all bits depend on all bytes). */
export function hashBytes(text: ByteString): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * How many slots to offer to `count` keys: a third more at least, and in coarse steps, so that a few
 * keys more or less don't move all others.
 */
export function slotsFor(count: number): number {
  let slots = 16;
  while (slots * 3 < count * 4) slots = slots % 3 === 0 ? (slots / 3) * 4 : (slots / 2) * 3;
  return slots;
}

/**
 * Gives each key a slot that depends on it and hardly on the others: the first free one from its
 * hash on. A key that comes or goes moves few others, where numbering them would move all behind it.
 * @param reserved how many of the first slots nobody gets
 */
export function placeByHash(keys: readonly ByteString[], slots: number, reserved = 0): number[] {
  const open = slots - reserved;
  assert(keys.length <= open, 'there is a slot for each key');
  const taken = new Uint8Array(open);
  return keys.map((key) => {
    let slot = hashBytes(key) % open;
    while (taken[slot]) slot = (slot + 1) % open;
    taken[slot] = 1;
    return slot + reserved;
  });
}
