import { assert, SluiceError } from '../base/mod.ts';
import { directoryHash } from './directory-hash.ts';
import type { DiskString } from './entry.ts';
import { BLOCK_SIZE_BYTES, HASH_VERSION_HALF_MD4, type InodeKind, kindCodes } from './format.ts';

export interface DirectoryChild {
  readonly name: DiskString;
  readonly inode: number;
  readonly kind: InodeKind;
}

/** The blocks of a directory, and whether they carry a hash index. */
export interface DirectoryBlocks {
  readonly data: Buffer;
  readonly indexed: boolean;
}

const HEADER_BYTES = 8;
const ROOT_ENTRIES_OFFSET = 32;
const INDEX_ENTRY_BYTES = 8;
const ROOT_ENTRIES = (BLOCK_SIZE_BYTES - ROOT_ENTRIES_OFFSET) / INDEX_ENTRY_BYTES;
const NODE_ENTRIES = (BLOCK_SIZE_BYTES - HEADER_BYTES) / INDEX_ENTRY_BYTES;

function recordBytes(name: DiskString): number {
  return (HEADER_BYTES + name.length + 3) & ~3;
}

function writeRecord(into: Buffer, at: number, child: DirectoryChild, recordLength: number): void {
  into.writeUInt32LE(child.inode, at);
  into.writeUInt16LE(recordLength, at + 4);
  into[at + 6] = child.name.length;
  into[at + 7] = kindCodes[child.kind].directoryType;
  into.write(child.name, at + HEADER_BYTES, 'latin1');
}

/** Writes children one after another; the last one's record reaches to the end of the block. */
function writeLeaf(into: Buffer, blockStart: number, children: readonly DirectoryChild[]): void {
  let at = blockStart;
  children.forEach((child, i) => {
    const last = i === children.length - 1;
    const length = last ? blockStart + BLOCK_SIZE_BYTES - at : recordBytes(child.name);
    writeRecord(into, at, child, length);
    at += length;
  });
}

interface Leaf {
  children: DirectoryChild[];
  /** The lowest hash in it; its lowest bit says that the leaf before ends with the same hash. */
  hash: number;
}

/** Cuts the children, in order of hash, into leaves. */
function cutLeaves(children: readonly DirectoryChild[]): Leaf[] {
  const hashed = children.map((child) => ({ child, hash: directoryHash(child.name) }));
  hashed.sort(
    (a, b) =>
      a.hash.major - b.hash.major ||
      a.hash.minor - b.hash.minor ||
      (a.child.name < b.child.name ? -1 : 1),
  );
  const leaves: Leaf[] = [];
  let room = 0;
  let previousHash = -1;
  for (const { child, hash } of hashed) {
    const bytes = recordBytes(child.name);
    if (bytes > room) {
      leaves.push({ children: [], hash: hash.major + (hash.major === previousHash ? 1 : 0) });
      room = BLOCK_SIZE_BYTES;
    }
    leaves.at(-1)!.children.push(child);
    room -= bytes;
    previousHash = hash.major;
  }
  return leaves;
}

interface IndexEntry {
  hash: number;
  block: number;
}

function writeIndex(into: Buffer, at: number, limit: number, entries: readonly IndexEntry[]): void {
  assert(entries.length <= limit, 'a directory index block holds its entries');
  entries.forEach((entry, i) => {
    into.writeUInt32LE(entry.hash, at + i * INDEX_ENTRY_BYTES);
    into.writeUInt32LE(entry.block, at + i * INDEX_ENTRY_BYTES + 4);
  });
  // The first entry needs no hash: its place holds the limit and the count.
  into.writeUInt16LE(limit, at);
  into.writeUInt16LE(entries.length, at + 2);
}

function buildIndexed(
  dots: readonly DirectoryChild[],
  children: readonly DirectoryChild[],
): Buffer {
  const leaves = cutLeaves(children);
  const nodeCount = leaves.length > ROOT_ENTRIES ? Math.ceil(leaves.length / NODE_ENTRIES) : 0;
  if (nodeCount > ROOT_ENTRIES) {
    throw new SluiceError('IMAGE_ENTRY_INVALID', 'a directory has more entries than ext4 indexes');
  }
  const data = Buffer.alloc((1 + nodeCount + leaves.length) * BLOCK_SIZE_BYTES);
  const leafEntries = leaves.map((leaf, i) => ({ hash: leaf.hash, block: 1 + nodeCount + i }));
  leaves.forEach((leaf, i) => {
    writeLeaf(data, (1 + nodeCount + i) * BLOCK_SIZE_BYTES, leaf.children);
  });

  writeLeaf(data, 0, dots);
  data[28] = HASH_VERSION_HALF_MD4;
  data[29] = 8;
  data[30] = nodeCount === 0 ? 0 : 1;
  if (nodeCount === 0) {
    writeIndex(data, ROOT_ENTRIES_OFFSET, ROOT_ENTRIES, leafEntries);
    return data;
  }
  const nodeEntries: IndexEntry[] = [];
  for (let node = 0; node < nodeCount; node++) {
    const block = 1 + node;
    const entries = leafEntries.slice(node * NODE_ENTRIES, (node + 1) * NODE_ENTRIES);
    data.writeUInt16LE(BLOCK_SIZE_BYTES, block * BLOCK_SIZE_BYTES + 4);
    writeIndex(data, block * BLOCK_SIZE_BYTES + HEADER_BYTES, NODE_ENTRIES, entries);
    nodeEntries.push({ hash: entries[0]!.hash, block });
  }
  writeIndex(data, ROOT_ENTRIES_OFFSET, ROOT_ENTRIES, nodeEntries);
  return data;
}

/**
 * Lays out a directory: one block in order of name where all fits, else leaves in order of hash
 * under an index of one or two levels (Linux `Documentation/filesystems/ext4/directory.rst`).
 * @param children in order of name
 */
export function buildDirectory(
  self: number,
  parent: number,
  children: readonly DirectoryChild[],
): DirectoryBlocks {
  const dots: DirectoryChild[] = [
    { name: '.', inode: self, kind: 'directory' },
    { name: '..', inode: parent, kind: 'directory' },
  ];
  let bytes = 0;
  for (const child of children) bytes += recordBytes(child.name);
  if (24 + bytes > BLOCK_SIZE_BYTES) {
    return { data: buildIndexed(dots, children), indexed: true };
  }
  const data = Buffer.alloc(BLOCK_SIZE_BYTES);
  writeLeaf(data, 0, [...dots, ...children]);
  return { data, indexed: false };
}
