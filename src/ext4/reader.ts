import { GIB, limits } from '../base/mod.ts';
import type { DiskString } from './entry.ts';
import {
  BLOCK_SIZE_BYTES,
  FAST_SYMLINK_BYTES_MAX,
  GROUP_DESCRIPTOR_BYTES,
  INODE_SIZE_BYTES,
  type InodeKind,
  kindCodes,
  ROOT_INODE,
  SUPERBLOCK_MAGIC,
  SUPERBLOCK_OFFSET,
} from './format.ts';
import { malformed, type ParsedInode, parseDevice, parseInode } from './read-inode.ts';
import { parseXattrs } from './read-xattrs.ts';

/** Where a disk's bytes come from. */
export interface DiskSource {
  readonly sizeBytes: number;
  /** Answers exactly `length` bytes. */
  read(offset: number, length: number): Promise<Buffer>;
}

/** One name on a disk, with all that its inode says. */
export interface ReadEntry {
  readonly path: DiskString;
  readonly inode: number;
  readonly linkCount: number;
  readonly kind: InodeKind;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  readonly xattrs: ReadonlyMap<DiskString, Buffer>;
  readonly sizeBytes: number;
  readonly linkTarget?: DiskString;
  readonly device?: { major: number; minor: number };
  /** The file's bytes with zeros for holes, in pieces. */
  content(): AsyncIterable<Buffer>;
}

interface Extent {
  logical: number;
  physical: number;
  count: number;
}

const EXTENT_DEPTH_MAX = 5;
const DIRECTORY_BYTES_MAX = GIB;
const EXTENTS_MAX = 1_000_000;
const PIECE_BLOCKS = 128;
const zeroPiece = Buffer.alloc(PIECE_BLOCKS * BLOCK_SIZE_BYTES);

/** Reads what this folder writes, and refuses the rest with `DISK_MALFORMED`. */
class DiskReader {
  readonly #source: DiskSource;
  #inodesPerGroup = 0;
  #groups = 0;
  #descriptors: Buffer = Buffer.alloc(0);

  constructor(source: DiskSource) {
    this.#source = source;
  }

  async open(): Promise<void> {
    const superblock = await this.#read(SUPERBLOCK_OFFSET, 1024);
    if (superblock.readUInt16LE(0x38) !== SUPERBLOCK_MAGIC) throw malformed('no superblock');
    this.#inodesPerGroup = superblock.readUInt32LE(0x28);
    const blocks = superblock.readUInt32LE(0x04);
    const blocksPerGroup = superblock.readUInt32LE(0x20);
    const blockSizeBytes = 1024 << superblock.readUInt32LE(0x18);
    if (
      blockSizeBytes !== BLOCK_SIZE_BYTES ||
      superblock.readUInt16LE(0x58) !== INODE_SIZE_BYTES ||
      blocksPerGroup !== 8 * BLOCK_SIZE_BYTES ||
      this.#inodesPerGroup === 0 ||
      blocks * BLOCK_SIZE_BYTES > this.#source.sizeBytes
    ) {
      throw malformed('its superblock');
    }
    this.#groups = Math.ceil(blocks / blocksPerGroup);
    this.#descriptors = await this.#read(BLOCK_SIZE_BYTES, this.#groups * GROUP_DESCRIPTOR_BYTES);
  }

  async #read(offset: number, length: number): Promise<Buffer> {
    if (offset + length > this.#source.sizeBytes) throw malformed('it points beyond its end');
    return await this.#source.read(offset, length);
  }

  async inode(number: number): Promise<ParsedInode> {
    const group = Math.floor((number - 1) / this.#inodesPerGroup);
    if (number < 1 || group >= this.#groups) throw malformed(`there is no inode ${number}`);
    const table = this.#descriptors.readUInt32LE(group * GROUP_DESCRIPTOR_BYTES + 8);
    const offset = ((number - 1) % this.#inodesPerGroup) * INODE_SIZE_BYTES;
    return parseInode(
      number,
      await this.#read(table * BLOCK_SIZE_BYTES + offset, INODE_SIZE_BYTES),
    );
  }

  async xattrs(inode: ParsedInode): Promise<ReadonlyMap<DiskString, Buffer>> {
    const at = inode.xattrBlock * BLOCK_SIZE_BYTES;
    const block = at === 0 ? undefined : await this.#read(at, BLOCK_SIZE_BYTES);
    return parseXattrs(inode.xattrBody, block, (number, sizeBytes) =>
      this.#xattrValue(number, sizeBytes),
    );
  }

  async #xattrValue(number: number, sizeBytes: number): Promise<Buffer> {
    const inode = await this.inode(number);
    const isValue = inode.kind === 'file' && inode.sizeBytes === sizeBytes;
    if (!isValue || sizeBytes > limits.image.xattrValueBytes) throw malformed('an attribute');
    const pieces: Buffer[] = [];
    for await (const piece of this.content(inode)) pieces.push(Buffer.from(piece));
    return Buffer.concat(pieces);
  }

  async *content(inode: ParsedInode): AsyncGenerator<Buffer> {
    const extents: Extent[] = [];
    await this.#collectExtents(inode.inlineData, EXTENT_DEPTH_MAX, extents);
    let at = 0;
    for (const extent of extents) {
      const start = extent.logical * BLOCK_SIZE_BYTES;
      if (start < at) throw malformed(`inode ${inode.number} has extents out of order`);
      yield* zeroBytes(Math.min(start, inode.sizeBytes) - at);
      at = Math.min(start, inode.sizeBytes);
      for (let block = 0; block < extent.count && at < inode.sizeBytes; block += PIECE_BLOCKS) {
        const bytes = Math.min(PIECE_BLOCKS, extent.count - block) * BLOCK_SIZE_BYTES;
        const piece = await this.#read((extent.physical + block) * BLOCK_SIZE_BYTES, bytes);
        yield piece.subarray(0, inode.sizeBytes - at);
        at += Math.min(bytes, inode.sizeBytes - at);
      }
    }
    yield* zeroBytes(inode.sizeBytes - at);
  }

  async #collectExtents(node: Buffer, depthMax: number, into: Extent[]): Promise<void> {
    const [count, depth] = [node.readUInt16LE(2), node.readUInt16LE(6)];
    const fits = 12 + count * 12 <= node.length && into.length + count <= EXTENTS_MAX;
    if (node.readUInt16LE(0) !== 0xf30a || depth > depthMax || !fits) {
      throw malformed('an extent tree');
    }
    for (let at = 12; at < 12 + count * 12; at += 12) {
      const logical = node.readUInt32LE(at);
      if (depth === 0) {
        const physical = node.readUInt32LE(at + 8);
        into.push({ logical, physical, count: node.readUInt16LE(at + 4) });
      } else {
        const child = node.readUInt32LE(at + 4) * BLOCK_SIZE_BYTES;
        await this.#collectExtents(await this.#read(child, BLOCK_SIZE_BYTES), depth - 1, into);
      }
    }
  }

  /** The names in a directory besides `.` and `..`, in order; index blocks look like empty ones. */
  async children(inode: ParsedInode): Promise<{ name: DiskString; inode: number; type: number }[]> {
    const children: { name: DiskString; inode: number; type: number }[] = [];
    if (inode.sizeBytes > Math.min(DIRECTORY_BYTES_MAX, this.#source.sizeBytes)) {
      throw malformed('a directory is too large');
    }
    const pieces: Buffer[] = [];
    for await (const piece of this.content(inode)) pieces.push(Buffer.from(piece));
    const data = Buffer.concat(pieces);
    for (let at = 0; at < data.length; ) {
      const length = at + 8 <= data.length ? data.readUInt16LE(at + 4) : 0;
      const nameLength = data[at + 6] ?? 0;
      if (length < 8 + nameLength || at + length > data.length) throw malformed('a directory');
      const name = data.toString('latin1', at + 8, at + 8 + nameLength);
      const child = data.readUInt32LE(at);
      if (child !== 0 && name !== '.' && name !== '..') {
        if (/[/\0]/.test(name) || name === '') throw malformed('a name in a directory');
        children.push({ name, inode: child, type: data[at + 7]! });
      }
      at += length;
    }
    return children.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async entry(path: DiskString, inode: ParsedInode): Promise<ReadEntry> {
    const { kind, mode, uid, gid, mtimeSeconds, mtimeNanoseconds, linkCount, sizeBytes } = inode;
    return {
      ...{ path, kind, mode, uid, gid, mtimeSeconds, mtimeNanoseconds, linkCount, sizeBytes },
      inode: inode.number,
      xattrs: await this.xattrs(inode),
      ...(kind === 'symlink' && { linkTarget: await this.#target(inode) }),
      ...((kind === 'character' || kind === 'block') && { device: parseDevice(inode) }),
      content: () => this.content(inode),
    };
  }

  async #target(inode: ParsedInode): Promise<DiskString> {
    if (inode.sizeBytes <= FAST_SYMLINK_BYTES_MAX) {
      return inode.inlineData.toString('latin1', 0, inode.sizeBytes);
    }
    if (inode.sizeBytes > BLOCK_SIZE_BYTES) throw malformed('a symlink is too long');
    let target = '';
    for await (const piece of this.content(inode)) target += piece.toString('latin1');
    return target;
  }
}

function* zeroBytes(length: number): Generator<Buffer> {
  for (let at = 0; at < length; at += zeroPiece.length) yield zeroPiece.subarray(0, length - at);
}

/**
 * Walks a disk from its root, parents before children, siblings in order of name. Written apart from
 * the writer, to judge it; on bytes that are no such disk it throws `DISK_MALFORMED` and ends.
 */
export async function* readDisk(source: DiskSource): AsyncGenerator<ReadEntry> {
  const reader = new DiskReader(source);
  await reader.open();
  const visited = new Set<number>();
  const pending: { path: DiskString; number: number; type: number }[] = [
    { path: '', number: ROOT_INODE, type: kindCodes.directory.directoryType },
  ];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const inode = await reader.inode(next.number);
    if (kindCodes[inode.kind].directoryType !== next.type) throw malformed('a name of two kinds');
    yield await reader.entry(next.path, inode);
    if (inode.kind !== 'directory') continue;
    if (visited.has(inode.number)) throw malformed('a directory has two names');
    visited.add(inode.number);
    for (const child of (await reader.children(inode)).reverse()) {
      const path = next.path === '' ? child.name : `${next.path}/${child.name}`;
      pending.push({ path, number: child.inode, type: child.type });
    }
  }
}
