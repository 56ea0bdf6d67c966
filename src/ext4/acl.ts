import { SluiceError } from '../base/mod.ts';

const XATTR_VERSION = 2;
const DISK_VERSION = 1;
/** Tags whose entries name a user or a group. */
const USER = 0x02;
const GROUP = 0x08;
const knownTags = new Set([0x01, USER, 0x04, GROUP, 0x10, 0x20]);

const hasId = (tag: number): boolean => tag === USER || tag === GROUP;

/**
 * Turns a POSIX ACL from the form of `getxattr` (8 bytes an entry) into ext4's own, which leaves
 * out the id where there is none (Linux `fs/ext4/acl.h`).
 */
export function aclToDisk(value: Buffer): Buffer {
  const entries = (value.length - 4) / 8;
  if (value.length < 4 || value.readUInt32LE(0) !== XATTR_VERSION || !Number.isInteger(entries)) {
    throw new SluiceError('IMAGE_ENTRY_INVALID', 'not a POSIX ACL of version 2');
  }
  const out = Buffer.alloc(4 + entries * 8);
  out.writeUInt32LE(DISK_VERSION, 0);
  let at = 4;
  for (let i = 4; i < value.length; i += 8) {
    const tag = value.readUInt16LE(i);
    if (!knownTags.has(tag)) {
      throw new SluiceError('IMAGE_ENTRY_INVALID', `a POSIX ACL has an unknown tag ${tag}`);
    }
    const length = hasId(tag) ? 8 : 4;
    value.copy(out, at, i, i + length);
    at += length;
  }
  return out.subarray(0, at);
}

/** The inverse of `aclToDisk`; `undefined` where the bytes are no ACL. */
export function aclFromDisk(value: Buffer): Buffer | undefined {
  if (value.length < 4 || value.readUInt32LE(0) !== DISK_VERSION) return undefined;
  const parts: Buffer[] = [Buffer.from([XATTR_VERSION, 0, 0, 0])];
  for (let at = 4; at < value.length; ) {
    if (at + 4 > value.length) return undefined;
    const tag = value.readUInt16LE(at);
    const length = hasId(tag) ? 8 : 4;
    if (!knownTags.has(tag) || at + length > value.length) return undefined;
    const entry = Buffer.alloc(8, 0xff);
    value.copy(entry, 0, at, at + length);
    parts.push(entry);
    at += length;
  }
  return Buffer.concat(parts);
}
