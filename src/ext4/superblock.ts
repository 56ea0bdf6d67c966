import {
  BLOCKS_PER_GROUP,
  DISK_UUID,
  EXTRA_ISIZE,
  FIRST_INODE,
  features,
  GROUP_DESCRIPTOR_BYTES,
  HASH_SEED,
  HASH_VERSION_HALF_MD4,
  INODE_SIZE_BYTES,
  INODES_PER_GROUP,
  SUPERBLOCK_FLAG_UNSIGNED_HASH,
  SUPERBLOCK_MAGIC,
} from './format.ts';

export interface DiskCounts {
  readonly groups: number;
  readonly freeBlocks: number;
  readonly freeInodes: number;
  /** Whether attributes have inodes of their own. */
  readonly largeAttributes: boolean;
}

const sum = (bits: Readonly<Record<string, number>>): number =>
  Object.values(bits).reduce((all, bit) => all | bit, 0);

/** User attributes and ACLs are on by default. */
const DEFAULT_MOUNT_OPTIONS = 0x4 | 0x8;
const STATE_CLEAN = 1;
const ERRORS_CONTINUE = 1;

/**
 * Writes the superblock at `at` into zeroed bytes (Linux `Documentation/filesystems/ext4/super.rst`).
 * All its times are zero, so that equal trees give equal bytes; nothing is reserved for root, and
 * with `sparse_super2` and no backup groups the superblock has no copies among the data.
 */
export function writeSuperblock(into: Buffer, at: number, counts: DiskCounts): void {
  const u32 = (field: number, value: number) => into.writeUInt32LE(value, at + field);
  const u16 = (field: number, value: number) => into.writeUInt16LE(value, at + field);
  u32(0x00, counts.groups * INODES_PER_GROUP);
  u32(0x04, counts.groups * BLOCKS_PER_GROUP);
  u32(0x0c, counts.freeBlocks);
  u32(0x10, counts.freeInodes);
  u32(0x18, 2);
  u32(0x1c, 2);
  u32(0x20, BLOCKS_PER_GROUP);
  u32(0x24, BLOCKS_PER_GROUP);
  u32(0x28, INODES_PER_GROUP);
  u16(0x36, 0xffff);
  u16(0x38, SUPERBLOCK_MAGIC);
  u16(0x3a, STATE_CLEAN);
  u16(0x3c, ERRORS_CONTINUE);
  u32(0x4c, 1);
  u32(0x54, FIRST_INODE);
  u16(0x58, INODE_SIZE_BYTES);
  u32(0x5c, sum(features.compatible));
  const large = counts.largeAttributes ? features.largeAttributes : 0;
  u32(0x60, sum(features.incompatible) | large);
  u32(0x64, sum(features.readOnlyCompatible));
  DISK_UUID.copy(into, at + 0x68);
  HASH_SEED.forEach((word, i) => {
    u32(0xec + 4 * i, word);
  });
  into[at + 0xfc] = HASH_VERSION_HALF_MD4;
  u32(0x100, DEFAULT_MOUNT_OPTIONS);
  u16(0x15c, EXTRA_ISIZE);
  u16(0x15e, EXTRA_ISIZE);
  u32(0x160, SUPERBLOCK_FLAG_UNSIGNED_HASH);
}

export interface GroupDescriptor {
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
  readonly freeBlocks: number;
  readonly freeInodes: number;
  readonly directories: number;
}

/** Writes descriptor `group` of the table that begins at `tableAt`. */
export function writeGroupDescriptor(
  into: Buffer,
  tableAt: number,
  group: number,
  descriptor: GroupDescriptor,
): void {
  const at = tableAt + group * GROUP_DESCRIPTOR_BYTES;
  into.writeUInt32LE(descriptor.blockBitmap, at);
  into.writeUInt32LE(descriptor.inodeBitmap, at + 0x04);
  into.writeUInt32LE(descriptor.inodeTable, at + 0x08);
  into.writeUInt16LE(descriptor.freeBlocks, at + 0x0c);
  into.writeUInt16LE(descriptor.freeInodes, at + 0x0e);
  into.writeUInt16LE(descriptor.directories, at + 0x10);
}
