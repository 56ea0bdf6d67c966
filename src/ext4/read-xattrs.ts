import { aclFromDisk } from './acl.ts';
import type { ByteString } from './entry.ts';
import { malformed } from './read-inode.ts';
import {
  XATTR_BLOCK_HEADER_BYTES,
  XATTR_ENTRY_BYTES,
  XATTR_MAGIC,
  xattrEntryHash,
  xattrPrefixes,
} from './xattr.ts';

/** Reads entries from `start` on; value offsets count from `origin`. */
function parseEntries(
  raw: Buffer,
  start: number,
  origin: number,
  into: Map<ByteString, Buffer>,
): void {
  for (let at = start; at + 4 <= raw.length && raw.readUInt32LE(at) !== 0; ) {
    if (at + XATTR_ENTRY_BYTES > raw.length) throw malformed('an attribute is cut off');
    const nameLength = raw[at]!;
    const prefix = xattrPrefixes.find((each) => each.index === raw[at + 1]);
    const valueAt = origin + raw.readUInt16LE(at + 2);
    const valueSize = raw.readUInt32LE(at + 8);
    const nameEnd = at + XATTR_ENTRY_BYTES + nameLength;
    if (!prefix || nameEnd > raw.length || valueAt + valueSize > raw.length) {
      throw malformed('an attribute reaches beyond its block');
    }
    const name = raw.toString('latin1', at + XATTR_ENTRY_BYTES, nameEnd);
    const stored = raw.subarray(valueAt, valueAt + valueSize);
    const hash = raw.readUInt32LE(at + 12);
    if (hash !== 0 && hash !== xattrEntryHash(name, stored)) {
      throw malformed('an attribute has a wrong hash');
    }
    const value = prefix.whole ? aclFromDisk(stored) : Buffer.from(stored);
    if (!value) throw malformed('an attribute is no access control list');
    into.set(prefix.prefix + name, value);
    at += (XATTR_ENTRY_BYTES + nameLength + 3) & ~3;
  }
}

/** All attributes of an inode, in its body and in its block. */
export function parseXattrs(body: Buffer, block: Buffer | undefined): Map<ByteString, Buffer> {
  const xattrs = new Map<ByteString, Buffer>();
  if (body.length >= 4 && body.readUInt32LE(0) === XATTR_MAGIC) parseEntries(body, 4, 4, xattrs);
  if (block) {
    if (block.readUInt32LE(0) !== XATTR_MAGIC) throw malformed('an attribute block is none');
    parseEntries(block, XATTR_BLOCK_HEADER_BYTES, 0, xattrs);
  }
  return xattrs;
}
