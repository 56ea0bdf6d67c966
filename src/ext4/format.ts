import { CHUNK_SIZE_BYTES, PAGE_SIZE_BYTES } from '../base/mod.ts';

/**
 * Numbers of the ext4 on-disk format (Linux `Documentation/filesystems/ext4/` and `fs/ext4/ext4.h`),
 * and the few that we are free to choose.
 */
export const BLOCK_SIZE_BYTES = PAGE_SIZE_BYTES;
export const BLOCKS_PER_CHUNK = CHUNK_SIZE_BYTES / BLOCK_SIZE_BYTES;
/** One bit a block in one bitmap block. */
export const BLOCKS_PER_GROUP = 8 * BLOCK_SIZE_BYTES;
/** One inode for every 8 KiB of disk: tables that stay empty are zero chunks and cost nothing. */
export const INODES_PER_GROUP = 16_384;
export const INODE_SIZE_BYTES = 256;
export const INODES_PER_CHUNK = CHUNK_SIZE_BYTES / INODE_SIZE_BYTES;
export const INODE_TABLE_BLOCKS = (INODES_PER_GROUP * INODE_SIZE_BYTES) / BLOCK_SIZE_BYTES;
export const GROUP_DESCRIPTOR_BYTES = 32;
export const SUPERBLOCK_OFFSET = 1024;
export const SUPERBLOCK_MAGIC = 0xef53;

export const ROOT_INODE = 2;
/** Inodes 1 to 10 are the file system's own. */
export const FIRST_INODE = 11;

/** A hard-link count that no file may pass, and past which a directory's count is written as 1. */
export const LINK_COUNT_MAX = 65_000;
export const NAME_BYTES_MAX = 255;
/** A symlink this long or shorter lies in the inode itself. */
export const FAST_SYMLINK_BYTES_MAX = 59;
export const SYMLINK_BYTES_MAX = 4095;
/** Logical block numbers are 32 bits wide. */
export const FILE_SIZE_BYTES_MAX = (2 ** 32 - 1) * BLOCK_SIZE_BYTES;

/** The body of an inode beyond the first 128 bytes, up to and with `i_projid`. */
export const EXTRA_ISIZE = 32;
export const INODE_XATTR_OFFSET = 128 + EXTRA_ISIZE;

export const inodeFlags = { index: 0x1000, extents: 0x80000, attributeValue: 0x200000 } as const;

export const features = {
  compatible: { extAttr: 0x8, dirIndex: 0x20, sparseSuper2: 0x200 },
  incompatible: { filetype: 0x2, extents: 0x40, flexBg: 0x200 },
  /** Incompatible as well, and only of disks that need it. */
  largeAttributes: 0x400,
  readOnlyCompatible: { largeFile: 0x2, hugeFile: 0x8, dirNlink: 0x20, extraIsize: 0x40 },
} as const;

/** `i_mode` type bits and directory-entry type byte of each kind of inode. */
export const kindCodes = {
  fifo: { mode: 0x1000, directoryType: 5 },
  character: { mode: 0x2000, directoryType: 3 },
  directory: { mode: 0x4000, directoryType: 2 },
  block: { mode: 0x6000, directoryType: 4 },
  file: { mode: 0x8000, directoryType: 1 },
  symlink: { mode: 0xa000, directoryType: 7 },
} as const;

export type InodeKind = keyof typeof kindCodes;

/** The hash of directory indexes, and the flag that says it reads bytes as unsigned. */
export const HASH_VERSION_HALF_MD4 = 1;
export const SUPERBLOCK_FLAG_UNSIGNED_HASH = 2;

/**
 * One UUID and one hash seed for every disk: equal trees must give equal bytes. Nobody mounts a
 * disk by its UUID.
 */
export const DISK_UUID = Buffer.from(
  '736c7569-6365-4d65-8469-736b00000001'.replaceAll('-', ''),
  'hex',
);
export const HASH_SEED = [0x736c7569, 0x63650001, 0x64697200, 0x68617368] as const;
