import { aclFromDisk } from './acl.ts';
import type { DiskString } from './entry.ts';
import { malformed } from './read-inode.ts';
import {
  largeHashBytes,
  largeValueHash,
  XATTR_BLOCK_HEADER_BYTES,
  XATTR_ENTRY_BYTES,
  XATTR_MAGIC,
  xattrEntryHash,
  xattrPrefixes,
} from './xattr.ts';

/** Answers what an inode that is an attribute's value holds. */
export type ReadValue = (inode: number, sizeBytes: number) => Promise<Buffer>;

/** Reads entries from `start` on; value offsets count from `origin`. */
async function parseEntries(
  raw: Buffer,
  start: number,
  origin: number,
  into: Map<DiskString, Buffer>,
  readValue: ReadValue,
): Promise<void> {
  for (let at = start; at + 4 <= raw.length && raw.readUInt32LE(at) !== 0; ) {
    if (at + XATTR_ENTRY_BYTES > raw.length) throw malformed('an attribute is cut off');
    const nameLength = raw[at]!;
    const prefix = xattrPrefixes.find((each) => each.index === raw[at + 1]);
    const valueAt = origin + raw.readUInt16LE(at + 2);
    const valueSize = raw.readUInt32LE(at + 8);
    const nameEnd = at + XATTR_ENTRY_BYTES + nameLength;
    const valueInode = raw.readUInt32LE(at + 4);
    const isHere = valueInode === 0;
    if (!prefix || nameEnd > raw.length || (isHere && valueAt + valueSize > raw.length)) {
      throw malformed('an attribute reaches beyond its block');
    }
    const name = raw.toString('latin1', at + XATTR_ENTRY_BYTES, nameEnd);
    const stored = isHere
      ? raw.subarray(valueAt, valueAt + valueSize)
      : await readValue(valueInode, valueSize);
    const hashed = isHere ? stored : largeHashBytes(largeValueHash(stored));
    const hash = raw.readUInt32LE(at + 12);
    if (hash !== 0 && hash !== xattrEntryHash(name, hashed)) {
      throw malformed('an attribute has a wrong hash');
    }
    const value = prefix.whole ? aclFromDisk(stored) : Buffer.from(stored);
    if (!value) throw malformed('an attribute is no access control list');
    into.set(prefix.prefix + name, value);
    at += (XATTR_ENTRY_BYTES + nameLength + 3) & ~3;
  }
}

/** All attributes of an inode, in its body, in its block, and in inodes of their own. */
export async function parseXattrs(
  body: Buffer,
  block: Buffer | undefined,
  readValue: ReadValue,
): Promise<Map<DiskString, Buffer>> {
  const xattrs = new Map<DiskString, Buffer>();
  if (body.length >= 4 && body.readUInt32LE(0) === XATTR_MAGIC) {
    await parseEntries(body, 4, 4, xattrs, readValue);
  }
  if (block) {
    if (block.readUInt32LE(0) !== XATTR_MAGIC) throw malformed('an attribute block is none');
    await parseEntries(block, XATTR_BLOCK_HEADER_BYTES, 0, xattrs, readValue);
  }
  return xattrs;
}
