import { GIB, MIB } from '../base/mod.ts';
import {
  BLOCK_SIZE_BYTES,
  BLOCKS_PER_CHUNK,
  BLOCKS_PER_GROUP,
  INODE_TABLE_BLOCKS,
  INODES_PER_GROUP,
} from './format.ts';

/*
 * The disk, in blocks:
 *
 *   chunk 0        superblock, group descriptors, bitmaps of the first 48 groups
 *   1 to 512       inode tables of the first 64 groups
 *   513 to 1023    directories, long symlinks, attributes, extent trees
 *   1024 and up    data, layer after layer
 *   behind data    what the first 512 MiB had no room for; free space
 *
 * All addresses up to the data are fixed: metadata that refers to unchanged things stays unchanged
 * when data grows. The room that metadata leaves is free space for writers, and costs nothing.
 */
const HEAD_GROUPS = 48;
const HEAD_BITMAPS_BLOCK = 16;
const LOW_TABLE_GROUPS = 64;
const LOW_TABLES_BLOCK = BLOCKS_PER_CHUNK;
export const LOW_AREA_BLOCK = LOW_TABLES_BLOCK + LOW_TABLE_GROUPS * INODE_TABLE_BLOCKS;
const RESERVE_BYTES = 512 * MIB;
export const LOW_AREA_END_BLOCK = RESERVE_BYTES / BLOCK_SIZE_BYTES;
export const DATA_FIRST_CHUNK = LOW_AREA_END_BLOCK / BLOCKS_PER_CHUNK;

/** Room that a writer finds at least, behind all data. */
const FREE_BLOCKS_MIN = RESERVE_BYTES / BLOCK_SIZE_BYTES;
const FREE_INODES_MIN = INODES_PER_GROUP;
/** Disks grow in steps of 1 GiB. */
const STEP_GROUPS = GIB / BLOCK_SIZE_BYTES / BLOCKS_PER_GROUP;

/** Where everything lies on a disk of a given content. */
export interface Geometry {
  readonly groups: number;
  readonly groupDescriptorBlocks: number;
  blockBitmap(group: number): number;
  inodeBitmap(group: number): number;
  inodeTable(group: number): number;
  /** First block and count of the bitmaps that chunk 0 has no room for. */
  readonly extraBitmaps: { readonly block: number; readonly count: number };
}

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

/**
 * @param endBlock the first block behind all data and behind metadata that went there
 * @param inodes the highest inode number
 */
export function planGeometry(endBlock: number, inodes: number): Geometry {
  const extraBlock = roundUp(endBlock, BLOCKS_PER_CHUNK);
  const groupsForInodes = Math.ceil((inodes + FREE_INODES_MIN) / INODES_PER_GROUP);
  let groups = roundUp(groupsForInodes, STEP_GROUPS);
  for (;;) {
    const bitmapBlocks = 2 * Math.max(0, groups - HEAD_GROUPS);
    const tableBlocks = Math.max(0, groups - LOW_TABLE_GROUPS) * INODE_TABLE_BLOCKS;
    const end = extraBlock + roundUp(bitmapBlocks, BLOCKS_PER_CHUNK) + tableBlocks;
    const needed = roundUp(Math.ceil((end + FREE_BLOCKS_MIN) / BLOCKS_PER_GROUP), STEP_GROUPS);
    if (needed <= groups) return geometry(groups, extraBlock, bitmapBlocks);
    groups = needed;
  }
}

function geometry(groups: number, extraBlock: number, bitmapBlocks: number): Geometry {
  const extraTables = extraBlock + roundUp(bitmapBlocks, BLOCKS_PER_CHUNK);
  const bitmap = (group: number, kind: 0 | 1) =>
    group < HEAD_GROUPS
      ? HEAD_BITMAPS_BLOCK + 2 * group + kind
      : extraBlock + 2 * (group - HEAD_GROUPS) + kind;
  return {
    groups,
    groupDescriptorBlocks: Math.ceil((groups * 32) / BLOCK_SIZE_BYTES),
    blockBitmap: (group) => bitmap(group, 0),
    inodeBitmap: (group) => bitmap(group, 1),
    inodeTable: (group) =>
      group < LOW_TABLE_GROUPS
        ? LOW_TABLES_BLOCK + group * INODE_TABLE_BLOCKS
        : extraTables + (group - LOW_TABLE_GROUPS) * INODE_TABLE_BLOCKS,
    extraBitmaps: { block: extraBlock, count: bitmapBlocks },
  };
}
