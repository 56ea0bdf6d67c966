import { SluiceError } from '../base/mod.ts';
import { aclToDisk } from './acl.ts';
import type { ByteString } from './entry.ts';
import { BLOCK_SIZE_BYTES, INODE_SIZE_BYTES, INODE_XATTR_OFFSET } from './format.ts';

export const XATTR_MAGIC = 0xea020000;
export const XATTR_ENTRY_BYTES = 16;
export const XATTR_BLOCK_HEADER_BYTES = 32;

/** ext4 stores a number for a known prefix; the two ACLs are a number and no name. */
export const xattrPrefixes: readonly { index: number; prefix: ByteString; whole?: true }[] = [
  { index: 2, prefix: 'system.posix_acl_access', whole: true },
  { index: 3, prefix: 'system.posix_acl_default', whole: true },
  { index: 1, prefix: 'user.' },
  { index: 4, prefix: 'trusted.' },
  { index: 6, prefix: 'security.' },
  { index: 7, prefix: 'system.' },
];

interface DiskXattr {
  index: number;
  name: ByteString;
  value: Buffer;
}

/** Extended attributes as an inode holds them: a part in its body, a part in a block of its own. */
export interface XattrParts {
  /** The bytes from `INODE_XATTR_OFFSET` to the inode's end. */
  readonly body?: Buffer;
  readonly block?: Buffer;
}

function toDisk(name: ByteString, value: Buffer): DiskXattr {
  const found = xattrPrefixes.find((each) =>
    each.whole ? name === each.prefix : name.startsWith(each.prefix),
  );
  const rest = found?.whole ? '' : name.slice(found?.prefix.length ?? 0);
  if (!found || (rest === '' && !found.whole) || rest.length > 255 || name.includes('\0')) {
    throw new SluiceError('IMAGE_ENTRY_INVALID', `ext4 stores no attribute named ${name}`, {
      data: { xattr: name },
    });
  }
  return { index: found.index, name: rest, value: found.whole ? aclToDisk(value) : value };
}

const padded = (bytes: number): number => (bytes + 3) & ~3;
const entryBytes = (each: DiskXattr): number => XATTR_ENTRY_BYTES + padded(each.name.length);
const totalBytes = (each: DiskXattr): number => entryBytes(each) + padded(each.value.length);

function rotate(hash: number, bits: number): number {
  return (hash << bits) | (hash >>> (32 - bits));
}

/** The hash of an entry in a block, over its name and its value (Linux `fs/ext4/xattr.c`). */
export function xattrEntryHash(name: ByteString, value: Buffer): number {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = rotate(hash, 5) ^ name.charCodeAt(i);
  for (let i = 0; i < value.length; i += 4) {
    let word = 0;
    for (let k = 0; k < 4; k++) word |= (value[i + k] ?? 0) << (8 * k);
    hash = rotate(hash, 16) ^ word;
  }
  return hash >>> 0;
}

/** Writes entries upwards from `start` and their values downwards from the end of `into`. */
function writeEntries(into: Buffer, start: number, origin: number, xattrs: DiskXattr[]): number {
  const inBlock = origin === 0;
  let at = start;
  let valueEnd = into.length;
  let blockHash = 0;
  for (const each of xattrs) {
    if (each.value.length > 0) valueEnd -= padded(each.value.length);
    const hash = inBlock ? xattrEntryHash(each.name, each.value) : 0;
    into[at] = each.name.length;
    into[at + 1] = each.index;
    into.writeUInt16LE(each.value.length > 0 ? valueEnd - origin : 0, at + 2);
    into.writeUInt32LE(each.value.length, at + 8);
    into.writeUInt32LE(hash, at + 12);
    into.write(each.name, at + XATTR_ENTRY_BYTES, 'latin1');
    each.value.copy(into, valueEnd);
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

/**
 * Lays out attributes in ext4's order (prefix number, name length, name), in the inode's body while
 * there is room, the rest in one block. Throws `IMAGE_ENTRY_INVALID` for those that don't fit.
 */
export function buildXattrs(xattrs: ReadonlyMap<ByteString, Buffer>): XattrParts {
  if (xattrs.size === 0) return {};
  const all = [...xattrs].map(([name, value]) => toDisk(name, value));
  all.sort(
    (a, b) => a.index - b.index || a.name.length - b.name.length || (a.name < b.name ? -1 : 1),
  );
  const endMarkBytes = 4;
  let bodyRoom = INODE_SIZE_BYTES - INODE_XATTR_OFFSET - 4 - endMarkBytes;
  let blockRoom = BLOCK_SIZE_BYTES - XATTR_BLOCK_HEADER_BYTES - endMarkBytes;
  const inBody: DiskXattr[] = [];
  const inBlock: DiskXattr[] = [];
  for (const each of all) {
    if (totalBytes(each) <= bodyRoom) {
      bodyRoom -= totalBytes(each);
      inBody.push(each);
    } else {
      blockRoom -= totalBytes(each);
      inBlock.push(each);
    }
  }
  if (blockRoom < 0) {
    throw new SluiceError(
      'IMAGE_ENTRY_INVALID',
      `extended attributes need ${-blockRoom} bytes more than the 4 KiB that ext4 gives them`,
    );
  }
  return {
    ...(inBody.length > 0 && { body: buildBody(inBody) }),
    ...(inBlock.length > 0 && { block: buildBlock(inBlock) }),
  };
}
