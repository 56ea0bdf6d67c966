import type { DiskString } from './entry.ts';
import type { ExtentTree } from './extent.ts';
import {
  BLOCK_SIZE_BYTES,
  EXTRA_ISIZE,
  FAST_SYMLINK_BYTES_MAX,
  INODE_XATTR_OFFSET,
  type InodeKind,
  inodeFlags,
  kindCodes,
  LINK_COUNT_MAX,
} from './format.ts';

/** What an inode says of itself besides where its data lies. */
export interface InodeAttributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
}

/** An inode about to be written, all addresses known. */
export interface InodeRecord extends InodeAttributes {
  readonly kind: InodeKind;
  readonly sizeBytes: number;
  readonly linkCount: number;
  /** Blocks of data, of the extent tree, of attributes and of their values. */
  readonly blockCount: number;
  readonly extents?: ExtentTree | undefined;
  readonly indexed?: boolean | undefined;
  readonly target?: DiskString | undefined;
  readonly device?: { major: number; minor: number } | undefined;
  readonly xattrBody?: Buffer | undefined;
  readonly xattrBlock?: number | undefined;
  /** Of an inode that is an attribute's value. */
  readonly valueHash?: number | undefined;
}

/** The earliest second and the first one past the latest that a 34-bit ext4 time holds. */
const SECONDS_MIN = -(2 ** 31);
const SECONDS_END = SECONDS_MIN + 2 ** 34;

/**
 * Splits a time in the 32 bits of the old field and the extra field: two more bits of seconds, 30
 * of nanoseconds (Linux `fs/ext4/ext4.h`, `ext4_encode_extra_time`). Clamps as the kernel does.
 */
export function encodeTime(seconds: number, nanoseconds: number): { low: number; extra: number } {
  const clamped = Math.min(Math.max(seconds, SECONDS_MIN), SECONDS_END - 1);
  const low = clamped | 0;
  const epoch = Math.round((clamped - low) / 2 ** 32) & 3;
  const fraction = clamped === seconds ? nanoseconds : 0;
  return { low, extra: (fraction * 4 + epoch) >>> 0 };
}

function writeDevice(into: Buffer, at: number, major: number, minor: number): void {
  if (major < 256 && minor < 256) {
    into.writeUInt32LE((major << 8) | minor, at);
  } else {
    const encoded = (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
    into.writeUInt32LE(encoded >>> 0, at + 4);
  }
}

function writeTimes(into: Buffer, at: number, record: InodeAttributes): void {
  const { low, extra } = encodeTime(record.mtimeSeconds, record.mtimeNanoseconds);
  for (const field of [0x08, 0x0c, 0x10, 0x90]) into.writeInt32LE(low, at + field);
  for (const field of [0x84, 0x88, 0x8c, 0x94]) into.writeUInt32LE(extra, at + field);
}

/** The kernel keeps a value's hash as the access time, and one reference as the version. */
function writeValueMarks(into: Buffer, at: number, hash: number): void {
  into.fill(0, at + 0x84, at + 0x98);
  for (const field of [0x08, 0x0c, 0x10, 0x90]) into.writeUInt32LE(0, at + field);
  into.writeUInt32LE(hash, at + 0x08);
  into.writeUInt32LE(1, at + 0x24);
}

/** Writes an inode at `at` into zeroed bytes (Linux `fs/ext4/ext4.h`, `struct ext4_inode`). */
export function writeInode(into: Buffer, at: number, record: InodeRecord): void {
  const tooManyLinks = record.kind === 'directory' && record.linkCount > LINK_COUNT_MAX;
  into.writeUInt16LE(kindCodes[record.kind].mode | record.mode, at);
  into.writeUInt16LE(record.uid & 0xffff, at + 0x02);
  into.writeUInt16LE(record.uid >>> 16, at + 0x78);
  into.writeUInt16LE(record.gid & 0xffff, at + 0x18);
  into.writeUInt16LE(record.gid >>> 16, at + 0x7a);
  into.writeUInt32LE(record.sizeBytes % 2 ** 32, at + 0x04);
  into.writeUInt32LE(Math.floor(record.sizeBytes / 2 ** 32), at + 0x6c);
  into.writeUInt16LE(tooManyLinks ? 1 : record.linkCount, at + 0x1a);
  const sectors = record.blockCount * (BLOCK_SIZE_BYTES / 512);
  into.writeUInt32LE(sectors % 2 ** 32, at + 0x1c);
  into.writeUInt16LE(Math.floor(sectors / 2 ** 32), at + 0x74);
  into.writeUInt16LE(EXTRA_ISIZE, at + 0x80);
  writeTimes(into, at, record);

  let flags = record.indexed ? inodeFlags.index : 0;
  if (record.extents) {
    flags |= inodeFlags.extents;
    record.extents.root.copy(into, at + 0x28);
  } else if (record.device) {
    writeDevice(into, at + 0x28, record.device.major, record.device.minor);
  } else if (record.target !== undefined) {
    into.write(record.target, at + 0x28, 'latin1');
  }
  if (record.valueHash !== undefined) {
    flags |= inodeFlags.attributeValue;
    writeValueMarks(into, at, record.valueHash);
  }
  into.writeUInt32LE(flags, at + 0x20);
  if (record.xattrBlock !== undefined) into.writeUInt32LE(record.xattrBlock, at + 0x68);
  record.xattrBody?.copy(into, at + INODE_XATTR_OFFSET);
}

/** Whether an inode of this kind has its blocks in an extent tree. */
export function hasExtents(kind: InodeKind, sizeBytes: number): boolean {
  if (kind === 'symlink') return sizeBytes > FAST_SYMLINK_BYTES_MAX;
  return kind === 'file' || kind === 'directory';
}
