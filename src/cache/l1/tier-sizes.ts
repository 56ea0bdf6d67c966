import { CHUNK_SIZE_BYTES, limits } from '../../base/mod.ts';

/** What a host has for the tiers of its agents. */
export interface HostRoom {
  readonly memoryBytes: number;
  /** Of the file system that the slab is on: all of it, and what is free. */
  readonly diskBytes: number;
  readonly freeBytes: number;
  /** Of the slab that is there, if one is: its size, and what of it takes room by now. */
  readonly slab?: { readonly limitBytes: number; readonly takenBytes: number };
}

export interface TierSizes {
  /** Of the memory tier of each agent. */
  readonly memoryBytes: number;
  readonly slabBytes: number;
}

const within = (least: number, bytes: number, most: number) =>
  Math.max(least, Math.min(bytes, most));
const wholeChunks = (bytes: number) => Math.floor(bytes / CHUNK_SIZE_BYTES) * CHUNK_SIZE_BYTES;

/**
 * The tiers' sizes: `chosen` where an operator chose, else shares of the host. A slab that is there
 * keeps its size as long as that is near what it would get, since another size is another slab,
 * which starts empty.
 */
export function tierSizes(host: HostRoom, chosen: Partial<TierSizes> = {}): TierSizes {
  const { cache } = limits;
  const memoryBytes = wholeChunks(
    within(cache.memoryBytesLeast, host.memoryBytes * cache.memoryShare, cache.memoryBytesMost),
  );
  const room = host.freeBytes + (host.slab?.takenBytes ?? 0);
  const share = Math.min(host.diskBytes * cache.slabShare, room * cache.slabFreeShare);
  const wanted = wholeChunks(within(cache.slabBytesLeast, share, cache.slabBytesMost));
  const there = host.slab?.limitBytes ?? 0;
  const slabBytes = there >= wanted / 2 && there <= wanted * 2 ? there : wanted;
  return {
    memoryBytes: chosen.memoryBytes ?? memoryBytes,
    slabBytes: chosen.slabBytes ?? slabBytes,
  };
}

/**
 * The memory tier of one more agent: what it would have alone, and at most half of what those that
 * are there (`takenBytes`) leave of the host's budget, so that many accounts take no more together.
 */
export function oneMoreTier(
  aloneBytes: number,
  hostMemoryBytes: number,
  takenBytes: readonly number[],
): number {
  const { memoryHostShare, memoryBytesLate } = limits.cache;
  const taken = takenBytes.reduce((sum, bytes) => sum + bytes, 0);
  const half = (hostMemoryBytes * memoryHostShare - taken) / 2;
  return wholeChunks(Math.min(aloneBytes, Math.max(half, memoryBytesLate)));
}
