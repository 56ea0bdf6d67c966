import { assert, CHUNK_SIZE_BYTES } from '../base/mod.ts';
import { BitMap } from './bit-map.ts';
import type { ChunkOutput } from './chunk-output.ts';
import { buildDirectory, type DirectoryChild } from './directory-block.ts';
import { addRun, buildExtentTree, type ExtentTree, triplesOf } from './extent.ts';
import {
  BLOCK_SIZE_BYTES,
  BLOCKS_PER_CHUNK,
  BLOCKS_PER_GROUP,
  FAST_SYMLINK_BYTES_MAX,
  FIRST_INODE,
  INODE_SIZE_BYTES,
  INODE_TABLE_BLOCKS,
  INODES_PER_CHUNK,
  INODES_PER_GROUP,
  SUPERBLOCK_OFFSET,
} from './format.ts';
import { type Geometry, planGeometry } from './geometry.ts';
import { hasExtents, type InodeRecord, writeInode } from './inode.ts';
import { LargeXattrs } from './large-xattrs.ts';
import { MetadataArea } from './metadata-area.ts';
import { writeGroupDescriptor, writeSuperblock } from './superblock.ts';
import { Directory, type Inode } from './tree.ts';
import { XattrBlocks } from './xattr-blocks.ts';

const CUT_AFTER_BLOCKS = (BLOCKS_PER_CHUNK * 3) / 4;
/** One in this many directories may begin a chunk. */
const CUT_ODDS = 8;

const noExtents: ExtentTree = buildExtentTree([], () => 0);

/**
 * Writes all that is not file content, once the tree is final: directories and what else inodes
 * point to, then inode tables, bitmaps, group descriptors, superblock.
 */
export class MetadataWriter {
  readonly #output: ChunkOutput;
  readonly #area: MetadataArea;
  /** Live inodes at their numbers. */
  readonly #inodes: (Inode | undefined)[];
  readonly #directories: readonly Directory[];
  readonly #xattrBlocks = new XattrBlocks();
  /** Extent trees too large for the inode. */
  readonly #trees = new Map<Inode, ExtentTree>();
  readonly #indexed = new Set<Inode>();
  readonly #treeBlocks: number[] = [];
  #largeAttributes = false;

  /** @param overflowBlock the first block behind all data, at a chunk's start */
  constructor(
    output: ChunkOutput,
    inodes: (Inode | undefined)[],
    directories: readonly Directory[],
    overflowBlock: number,
  ) {
    this.#output = output;
    this.#inodes = inodes;
    this.#directories = directories;
    this.#area = new MetadataArea(output, overflowBlock);
  }

  async write(): Promise<Geometry> {
    await this.#writeArea();
    const highest = Math.max(FIRST_INODE - 1, this.#inodes.length - 1);
    const geometry = planGeometry(this.#area.endBlock, highest);
    await this.#writeInodeTables(geometry);
    await this.#writeHead(geometry);
    return geometry;
  }

  async #writeArea(): Promise<void> {
    for (const [i, directory] of this.#directories.entries()) {
      if (i > 0 && this.#mayCut(this.#directories[i - 1]!, directory)) this.#area.cut();
      this.#writeDirectory(directory);
      await this.#area.settle();
    }
    this.#area.cut();
    for (const inode of this.#inodes) {
      if (!inode) continue;
      if (inode.kind === 'symlink' && inode.sizeBytes > FAST_SYMLINK_BYTES_MAX) {
        const block = Buffer.alloc(BLOCK_SIZE_BYTES);
        block.write(inode.target!, 'latin1');
        inode.runs = addRun(undefined, 0, this.#area.append(block), 1);
      }
      if (inode.runs !== undefined) this.#writeExtentTree(inode);
      if (inode.xattrs?.block) this.#xattrBlocks.use(inode.xattrs, inode);
      await this.#area.settle();
    }
    const values = new LargeXattrs(Math.max(FIRST_INODE, this.#inodes.length));
    this.#xattrBlocks.write((blocks) => this.#area.append(blocks), values);
    for (const inode of values.inodes) this.#inodes[inode.number] = inode;
    this.#largeAttributes = values.inodes.length > 0;
    await this.#area.finish();
  }

  /**
   * Whether directories go on in another chunk, so that one more or less shifts only those up to
   * the next cut. The cuts depend on inode numbers, which stay.
   */
  #mayCut(before: Directory, next: Directory): boolean {
    const filled = this.#area.filledBlocks;
    if (before.changed !== next.changed) return filled >= BLOCKS_PER_CHUNK / 2;
    return filled >= CUT_AFTER_BLOCKS && next.number % CUT_ODDS === 0;
  }

  #writeDirectory(directory: Directory): void {
    const children: DirectoryChild[] = [];
    for (const [name, inode] of directory.children) {
      children.push({ name, inode: inode.number, kind: inode.kind });
      if (inode instanceof Directory) directory.linkCount++;
    }
    // Its own `.`, besides its name in its parent.
    directory.linkCount++;
    children.sort((a, b) => (a.name < b.name ? -1 : 1));
    const { data, indexed } = buildDirectory(directory.number, directory.parent.number, children);
    directory.sizeBytes = data.length;
    directory.runs = addRun(undefined, 0, this.#area.append(data), data.length / BLOCK_SIZE_BYTES);
    if (indexed) this.#indexed.add(directory);
  }

  #writeExtentTree(inode: Inode): void {
    const tree = buildExtentTree(triplesOf(inode.runs), (block) => {
      const at = this.#area.append(block);
      this.#treeBlocks.push(at);
      return at;
    });
    if (tree.treeBlocks > 0) this.#trees.set(inode, tree);
  }

  #record(inode: Inode): InodeRecord {
    const { kind, sizeBytes, linkCount, target, device } = inode;
    const runs = triplesOf(inode.runs);
    let extents: ExtentTree | undefined;
    if (hasExtents(kind, sizeBytes)) {
      extents = this.#trees.get(inode) ?? buildExtentTree(runs, () => 0);
    }
    const xattrBlock = this.#xattrBlocks.blockOf(inode);
    let blockCount = (xattrBlock === undefined ? 0 : 1) + (extents ?? noExtents).treeBlocks;
    for (let i = 2; i < runs.length; i += 3) blockCount += runs[i]!;
    for (const { value } of inode.xattrs?.large ?? []) {
      blockCount += Math.ceil(value.length / BLOCK_SIZE_BYTES);
    }
    const { mode, uid, gid, mtimeSeconds, mtimeNanoseconds } = inode;
    return {
      ...{ kind, mode, uid, gid, mtimeSeconds, mtimeNanoseconds, sizeBytes, linkCount },
      ...{ blockCount, extents, target, device, xattrBlock },
      indexed: this.#indexed.has(inode),
      xattrBody: inode.xattrs?.body,
      valueHash: inode.valueHash,
    };
  }

  async #writeInodeTables(geometry: Geometry): Promise<void> {
    for (let first = 1; first < this.#inodes.length; first += INODES_PER_CHUNK) {
      if (!this.#inodes.slice(first, first + INODES_PER_CHUNK).some(Boolean)) continue;
      const buffer = await this.#output.take();
      buffer.fill(0);
      for (let i = 0; i < INODES_PER_CHUNK; i++) {
        const inode = this.#inodes[first + i];
        if (inode) writeInode(buffer, i * INODE_SIZE_BYTES, this.#record(inode));
      }
      const group = Math.floor((first - 1) / INODES_PER_GROUP);
      const chunkInGroup = ((first - 1) % INODES_PER_GROUP) / INODES_PER_CHUNK;
      const chunk = geometry.inodeTable(group) / BLOCKS_PER_CHUNK + chunkInGroup;
      this.#output.put(chunk, buffer);
    }
  }

  #usedBlocks(geometry: Geometry): BitMap {
    const used = new BitMap(geometry.groups * BLOCKS_PER_GROUP);
    used.set(0, 1 + geometry.groupDescriptorBlocks);
    for (let group = 0; group < geometry.groups; group++) {
      used.set(geometry.blockBitmap(group), 1);
      used.set(geometry.inodeBitmap(group), 1);
      used.set(geometry.inodeTable(group), INODE_TABLE_BLOCKS);
    }
    for (const inode of this.#inodes) {
      const runs = triplesOf(inode?.runs);
      for (let i = 0; i < runs.length; i += 3) used.set(runs[i + 1]!, runs[i + 2]!);
    }
    for (const block of this.#treeBlocks) used.set(block, 1);
    for (const block of this.#xattrBlocks.blocks) used.set(block, 1);
    return used;
  }

  #usedInodes(geometry: Geometry): { used: BitMap; directories: Uint16Array } {
    const used = new BitMap(geometry.groups * INODES_PER_GROUP);
    const directories = new Uint16Array(geometry.groups);
    used.set(0, FIRST_INODE - 1);
    this.#inodes.forEach((inode, number) => {
      if (!inode) return;
      used.set(number - 1, 1);
      const group = Math.floor((number - 1) / INODES_PER_GROUP);
      if (inode.kind === 'directory') directories[group]! += 1;
    });
    return { used, directories };
  }

  /** Writes chunk 0, and the bitmaps that it has no room for. */
  async #writeHead(geometry: Geometry): Promise<void> {
    const blocks = this.#usedBlocks(geometry);
    const inodes = this.#usedInodes(geometry);
    const head = Buffer.alloc(CHUNK_SIZE_BYTES);
    const { block: extraBlock, count: extraCount } = geometry.extraBitmaps;
    const extra = Buffer.alloc(Math.ceil(extraCount / BLOCKS_PER_CHUNK) * CHUNK_SIZE_BYTES);
    let [allFreeBlocks, allFreeInodes] = [0, 0];
    for (let group = 0; group < geometry.groups; group++) {
      const place = (block: number): [Buffer, number] =>
        block < BLOCKS_PER_CHUNK
          ? [head, block * BLOCK_SIZE_BYTES]
          : [extra, (block - extraBlock) * BLOCK_SIZE_BYTES];
      const [blockBitmap, inodeBitmap] = [geometry.blockBitmap(group), geometry.inodeBitmap(group)];
      const firstBlock = group * BLOCKS_PER_GROUP;
      const firstInode = group * INODES_PER_GROUP;
      blocks.copyTo(...place(blockBitmap), firstBlock, BLOCKS_PER_GROUP);
      inodes.used.copyTo(...place(inodeBitmap), firstInode, INODES_PER_GROUP);
      const freeBlocks = blocks.countClear(firstBlock, BLOCKS_PER_GROUP);
      const freeInodes = inodes.used.countClear(firstInode, INODES_PER_GROUP);
      allFreeBlocks += freeBlocks;
      allFreeInodes += freeInodes;
      writeGroupDescriptor(head, BLOCK_SIZE_BYTES, group, {
        ...{ blockBitmap, inodeBitmap, inodeTable: geometry.inodeTable(group) },
        ...{ freeBlocks, freeInodes, directories: inodes.directories[group]! },
      });
    }
    writeSuperblock(head, SUPERBLOCK_OFFSET, {
      groups: geometry.groups,
      freeBlocks: allFreeBlocks,
      freeInodes: allFreeInodes,
      largeAttributes: this.#largeAttributes,
    });
    await this.#put(0, head);
    for (let at = 0; at < extra.length; at += CHUNK_SIZE_BYTES) {
      const chunk = (extraBlock * BLOCK_SIZE_BYTES + at) / CHUNK_SIZE_BYTES;
      await this.#put(chunk, extra.subarray(at, at + CHUNK_SIZE_BYTES));
    }
  }

  async #put(chunk: number, data: Buffer): Promise<void> {
    assert(data.length === CHUNK_SIZE_BYTES, 'metadata is put in whole chunks');
    const buffer = await this.#output.take();
    data.copy(buffer);
    this.#output.put(chunk, buffer);
  }
}
