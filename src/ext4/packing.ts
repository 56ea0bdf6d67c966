import type { ByteString } from './entry.ts';
import { BLOCKS_PER_CHUNK } from './format.ts';

/** What the order and the cuts of a layer's small content may depend on: never an mtime. */
export interface PackItem {
  readonly path: ByteString;
  readonly blocks: number;
  /** 32 bits of the content's hash. */
  readonly contentHash: number;
}

/** A bin is as full as this before content may end it. */
const CUT_AFTER_BLOCKS = BLOCKS_PER_CHUNK / 2;
/** One in so many files ends a bin. */
const CUT_ODDS = 8;

/**
 * Puts a layer's items, each smaller than a chunk, in an order of their own and in bins of a chunk.
 * The cuts depend on content, so that after a changed file the bins soon agree again.
 */
export function packItems<Item extends PackItem>(items: readonly Item[]): Item[][] {
  const ordered = [...items].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const bins: Item[][] = [];
  let filled = BLOCKS_PER_CHUNK;
  for (const item of ordered) {
    if (filled + item.blocks > BLOCKS_PER_CHUNK) {
      bins.push([]);
      filled = 0;
    }
    bins.at(-1)!.push(item);
    filled += item.blocks;
    if (filled >= CUT_AFTER_BLOCKS && item.contentHash % CUT_ODDS === 0) {
      filled = BLOCKS_PER_CHUNK;
    }
  }
  return bins;
}
