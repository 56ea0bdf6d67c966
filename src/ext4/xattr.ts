import { SluiceError } from '../base/mod.ts';
import { aclToDisk } from './acl.ts';
import { crc32c } from './crc32c.ts';
import type { DiskString } from './entry.ts';
import { BLOCK_SIZE_BYTES, DISK_UUID, INODE_SIZE_BYTES, INODE_XATTR_OFFSET } from './format.ts';

export const XATTR_MAGIC = 0xea020000;
export const XATTR_ENTRY_BYTES = 16;
export const XATTR_BLOCK_HEADER_BYTES = 32;
const END_MARK_BYTES = 4;
const ALL_ONES = 0xffff_ffff;

/** ext4 stores a number for a known prefix; the two ACLs are a number and no name. */
export const xattrPrefixes: readonly { index: number; prefix: DiskString; whole?: true }[] = [
  { index: 2, prefix: 'system.posix_acl_access', whole: true },
  { index: 3, prefix: 'system.posix_acl_default', whole: true },
  { index: 1, prefix: 'user.' },
  { index: 4, prefix: 'trusted.' },
  { index: 6, prefix: 'security.' },
  { index: 7, prefix: 'system.' },
];

interface DiskXattr {
  index: number;
  name: DiskString;
  value: Buffer;
  /** Of a value that has an inode of its own; it takes no room beside its entry. */
  largeHash?: number;
}

/** Extended attributes as an inode holds them: a part in its body, a part in a block of its own. */
export interface XattrParts {
  /** The bytes from `INODE_XATTR_OFFSET` to the inode's end. */
  readonly body?: Buffer;
  readonly block?: Buffer;
  /** Values of entries in the block that have an inode of their own, and where those entries are. */
  readonly large?: readonly LargeValue[];
}

export interface LargeValue {
  readonly entryAt: number;
  readonly value: Buffer;
}

function prefixOf(name: DiskString) {
  return xattrPrefixes.find((each) =>
    each.whole ? name === each.prefix : name.startsWith(each.prefix) && name !== each.prefix,
  );
}

/** Whether ext4 has a number for the name's prefix: others no Linux file system stores. */
export function isStorableXattr(name: DiskString): boolean {
  return prefixOf(name) !== undefined;
}

function toDisk(name: DiskString, value: Buffer): DiskXattr {
  const found = prefixOf(name);
  const rest = found?.whole ? '' : name.slice(found?.prefix.length ?? 0);
  if (!found || rest.length > 255 || name.includes('\0')) {
    throw new SluiceError('IMAGE_ENTRY_INVALID', `ext4 stores no attribute named ${name}`, {
      data: { xattr: name },
    });
  }
  return { index: found.index, name: rest, value: found.whole ? aclToDisk(value) : value };
}

const padded = (bytes: number): number => (bytes + 3) & ~3;
const entryBytes = (each: DiskXattr): number => XATTR_ENTRY_BYTES + padded(each.name.length);
const valueBytes = (each: DiskXattr): number =>
  each.largeHash === undefined ? padded(each.value.length) : 0;
const totalBytes = (each: DiskXattr): number => entryBytes(each) + valueBytes(each);

function rotate(hash: number, bits: number): number {
  return (hash << bits) | (hash >>> (32 - bits));
}

/** The hash of an entry in a block, over its name and its value (Linux `fs/ext4/xattr.c`). */
export function xattrEntryHash(name: DiskString, value: Buffer): number {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = rotate(hash, 5) ^ name.charCodeAt(i);
  for (let i = 0; i < value.length; i += 4) {
    let word = 0;
    for (let k = 0; k < 4; k++) word |= (value[i + k] ?? 0) << (8 * k);
    hash = rotate(hash, 16) ^ word;
  }
  return hash >>> 0;
}

/** The hash of a value that has an inode of its own, from the disk's UUID on. */
export function largeValueHash(value: Buffer): number {
  return crc32c(crc32c(ALL_ONES, DISK_UUID), value);
}

/** Stands for a value in its entry's hash when the value has an inode of its own. */
export function largeHashBytes(hash: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(hash);
  return bytes;
}

/** Writes entries upwards from `start` and their values downwards from the end of `into`. */
function writeEntries(into: Buffer, start: number, origin: number, xattrs: DiskXattr[]): number {
  const inBlock = origin === 0;
  let at = start;
  let valueEnd = into.length;
  let blockHash = 0;
  for (const each of xattrs) {
    const isHere = valueBytes(each) > 0;
    valueEnd -= valueBytes(each);
    const hashed = each.largeHash === undefined ? each.value : largeHashBytes(each.largeHash);
    const hash = inBlock ? xattrEntryHash(each.name, hashed) : 0;
    into[at] = each.name.length;
    into[at + 1] = each.index;
    into.writeUInt16LE(isHere ? valueEnd - origin : 0, at + 2);
    into.writeUInt32LE(each.value.length, at + 8);
    into.writeUInt32LE(hash, at + 12);
    into.write(each.name, at + XATTR_ENTRY_BYTES, 'latin1');
    if (isHere) each.value.copy(into, valueEnd);
    blockHash = rotate(blockHash, 16) ^ hash;
    at += entryBytes(each);
  }
  return blockHash >>> 0;
}

function buildBody(xattrs: DiskXattr[]): Buffer {
  const body = Buffer.alloc(INODE_SIZE_BYTES - INODE_XATTR_OFFSET);
  body.writeUInt32LE(XATTR_MAGIC, 0);
  writeEntries(body, 4, 4, xattrs);
  return body;
}

function buildBlock(xattrs: DiskXattr[]): Buffer {
  const block = Buffer.alloc(BLOCK_SIZE_BYTES);
  block.writeUInt32LE(XATTR_MAGIC, 0);
  block.writeUInt32LE(1, 8);
  block.writeUInt32LE(writeEntries(block, XATTR_BLOCK_HEADER_BYTES, 0, xattrs), 12);
  return block;
}

/** Gives the largest values inodes of their own until the rest fits a block. */
function moveOut(inBlock: readonly DiskXattr[]): void {
  const room = BLOCK_SIZE_BYTES - XATTR_BLOCK_HEADER_BYTES - END_MARK_BYTES;
  let bytes = inBlock.reduce((sum, each) => sum + totalBytes(each), 0);
  const bySize = [...inBlock].sort((a, b) => b.value.length - a.value.length);
  for (const each of bySize) {
    if (bytes <= room) return;
    bytes -= totalBytes(each);
    each.largeHash = largeValueHash(each.value);
    bytes += totalBytes(each);
  }
  if (bytes <= room) return;
  throw new SluiceError(
    'IMAGE_ENTRY_INVALID',
    `extended attributes: their names need ${bytes - room} bytes more than ext4 has for them`,
  );
}

function largeValues(inBlock: readonly DiskXattr[]): LargeValue[] {
  const large: LargeValue[] = [];
  let entryAt = XATTR_BLOCK_HEADER_BYTES;
  for (const each of inBlock) {
    if (each.largeHash !== undefined) large.push({ entryAt, value: each.value });
    entryAt += entryBytes(each);
  }
  return large;
}

/**
 * Lays out attributes in ext4's order (prefix number, name length, name), in the inode's body while
 * there is room, the rest in one block, and values that don't fit there in inodes of their own.
 * Throws `IMAGE_ENTRY_INVALID` when the block has no room for the names.
 */
export function buildXattrs(xattrs: ReadonlyMap<DiskString, Buffer>): XattrParts {
  if (xattrs.size === 0) return {};
  const all = [...xattrs].map(([name, value]) => toDisk(name, value));
  all.sort(
    (a, b) => a.index - b.index || a.name.length - b.name.length || (a.name < b.name ? -1 : 1),
  );
  let bodyRoom = INODE_SIZE_BYTES - INODE_XATTR_OFFSET - 4 - END_MARK_BYTES;
  const inBody: DiskXattr[] = [];
  const inBlock: DiskXattr[] = [];
  for (const each of all) {
    if (totalBytes(each) <= bodyRoom) {
      bodyRoom -= totalBytes(each);
      inBody.push(each);
    } else {
      inBlock.push(each);
    }
  }
  moveOut(inBlock);
  const large = largeValues(inBlock);
  return {
    ...(inBody.length > 0 && { body: buildBody(inBody) }),
    ...(inBlock.length > 0 && { block: buildBlock(inBlock) }),
    ...(large.length > 0 && { large }),
  };
}
