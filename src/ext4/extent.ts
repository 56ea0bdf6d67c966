import { BLOCK_SIZE_BYTES } from './format.ts';

/**
 * Where a file's blocks lie: triples of logical block, physical block and count, flat to be small,
 * ordered by logical block. Most files are one run from their first block on: one number is enough
 * for them, and there may be a million.
 */
export type Runs = number | number[];

/** Counts below this, and physical blocks of 32 bits, fit one number. */
const COUNT_END = 2 ** 20;

/** The triples of a file's runs. */
export function triplesOf(runs: Runs | undefined): readonly number[] {
  if (runs === undefined) return [];
  if (typeof runs !== 'number') return runs;
  return [0, Math.floor(runs / COUNT_END), runs % COUNT_END];
}

const MAGIC = 0xf30a;
const ENTRY_BYTES = 12;
const ROOT_ENTRIES = 4;
const NODE_ENTRIES = Math.floor((BLOCK_SIZE_BYTES - ENTRY_BYTES) / ENTRY_BYTES);
const EXTENT_BLOCKS_MAX = 32_768;

/** Answers the runs with one more, joined to the last one where both sides go on. */
export function addRun(
  runs: Runs | undefined,
  logical: number,
  physical: number,
  count: number,
): Runs {
  if (runs === undefined && logical === 0 && count < COUNT_END) return physical * COUNT_END + count;
  const triples = typeof runs === 'object' ? runs : [...triplesOf(runs)];
  const last = triples.length - 3;
  const follows =
    last >= 0 &&
    triples[last]! + triples[last + 2]! === logical &&
    triples[last + 1]! + triples[last + 2]! === physical;
  if (follows) triples[last + 2]! += count;
  else triples.push(logical, physical, count);
  return triples;
}

interface TreeEntry {
  logical: number;
  physical: number;
  /** Blocks of an extent; 0 in an index. */
  count: number;
}

function toExtents(runs: readonly number[]): TreeEntry[] {
  const extents: TreeEntry[] = [];
  for (let i = 0; i < runs.length; i += 3) {
    const [logical, physical, count] = [runs[i]!, runs[i + 1]!, runs[i + 2]!];
    for (let done = 0; done < count; done += EXTENT_BLOCKS_MAX) {
      extents.push({
        logical: logical + done,
        physical: physical + done,
        count: Math.min(EXTENT_BLOCKS_MAX, count - done),
      });
    }
  }
  return extents;
}

function writeNode(
  into: Buffer,
  offset: number,
  entries: readonly TreeEntry[],
  entriesMax: number,
  depth: number,
): void {
  into.writeUInt16LE(MAGIC, offset);
  into.writeUInt16LE(entries.length, offset + 2);
  into.writeUInt16LE(entriesMax, offset + 4);
  into.writeUInt16LE(depth, offset + 6);
  let at = offset + ENTRY_BYTES;
  for (const entry of entries) {
    into.writeUInt32LE(entry.logical, at);
    if (depth === 0) {
      into.writeUInt16LE(entry.count, at + 4);
      into.writeUInt32LE(entry.physical, at + 8);
    } else {
      into.writeUInt32LE(entry.physical, at + 4);
    }
    at += ENTRY_BYTES;
  }
}

/** The 60 bytes of `i_block`, and how many blocks the tree has outside of the inode. */
export interface ExtentTree {
  root: Buffer;
  treeBlocks: number;
}

/**
 * Builds an extent tree from its leaves up. `appendBlock` puts a tree block on the disk and answers
 * its number; up to four extents need none.
 */
export function buildExtentTree(
  runs: readonly number[],
  appendBlock: (block: Buffer) => number,
): ExtentTree {
  let entries = toExtents(runs);
  let depth = 0;
  let treeBlocks = 0;
  while (entries.length > ROOT_ENTRIES) {
    const parents: TreeEntry[] = [];
    for (let i = 0; i < entries.length; i += NODE_ENTRIES) {
      const block = Buffer.alloc(BLOCK_SIZE_BYTES);
      const children = entries.slice(i, i + NODE_ENTRIES);
      writeNode(block, 0, children, NODE_ENTRIES, depth);
      parents.push({ logical: children[0]!.logical, physical: appendBlock(block), count: 0 });
      treeBlocks++;
    }
    entries = parents;
    depth++;
  }
  const root = Buffer.alloc(60);
  writeNode(root, 0, entries, ROOT_ENTRIES, depth);
  return { root, treeBlocks };
}
