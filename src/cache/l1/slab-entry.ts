import type { ChunkName } from '../../seal/mod.ts';

/** Slots that a chunk may lie in: enough that the policy within a set is close to a global one. */
export const WAYS = 16;
export const ENTRY_BYTES = 64;
/** Fields of an index entry; all zero is an empty one. */
const AT = { name: 0, latestMs: 32, previousMs: 40 } as const;
const NAME_BYTES = 32;

export interface SlabUse {
  readonly name: ChunkName;
  readonly latestMs: number;
  /** 0 when there was no use before the last. */
  readonly previousMs: number;
}

/** Of one set. */
export function parseEntries(set: Buffer): SlabUse[] {
  return Array.from({ length: WAYS }, (_, way) => {
    const at = way * ENTRY_BYTES;
    return {
      name: set.toString('hex', at + AT.name, at + AT.name + NAME_BYTES),
      latestMs: set.readDoubleLE(at + AT.latestMs),
      previousMs: set.readDoubleLE(at + AT.previousMs),
    };
  });
}

export function entryBytes(entry: SlabUse | undefined): Buffer {
  const bytes = Buffer.alloc(ENTRY_BYTES);
  if (entry) {
    bytes.write(entry.name, AT.name, 'hex');
    bytes.writeDoubleLE(entry.latestMs, AT.latestMs);
    bytes.writeDoubleLE(entry.previousMs, AT.previousMs);
  }
  return bytes;
}

/** LRU-2: an empty entry, then one that was used once, then the longest past second last use. */
export function victimOf(entries: readonly SlabUse[]): number {
  let victim = 0;
  for (const [way, entry] of entries.entries()) {
    const worst = entries[victim]!;
    const sooner = entry.previousMs - worst.previousMs || entry.latestMs - worst.latestMs;
    if (sooner < 0) victim = way;
  }
  return victim;
}
