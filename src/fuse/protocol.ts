/**
 * The numbers of the FUSE kernel protocol, version 7, as far as a directory of plain files needs
 * them. Source: include/uapi/linux/fuse.h; every structure is little-endian here, since the kernel
 * speaks the host's order and Node runs on little-endian hosts only.
 */

export const FUSE_MAJOR = 7;
/** The minor version that this server speaks: 7.31, Linux 5.4. An older kernel is refused. */
export const FUSE_MINOR = 31;
export const ROOT_NODE_ID = 1;
/** In a directory: the file that `ringDoorbell` rings; the kernel takes no directory for that. */
export const DOORBELL_NODE_ID = 2;
export const DOORBELL_NAME = '.doorbell';

export const opcode = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  fsyncdir: 30,
  access: 34,
  interrupt: 36,
  destroy: 38,
  notifyReply: 41,
  batchForget: 42,
  fallocate: 43,
} as const;

/** `FUSE_NOTIFY_RETRIEVE`: asks the kernel for what it has cached of a file. */
export const NOTIFY_RETRIEVE = 5;

/** `fuse_init_in.flags` and `fuse_init_out.flags`. */
export const initFlag = {
  asyncRead: 1 << 0,
  bigWrites: 1 << 5,
  asyncDirectIo: 1 << 15,
  parallelDirops: 1 << 18,
  maxPages: 1 << 22,
  explicitInvalData: 1 << 25,
} as const;

export const openFlag = {
  directIo: 1 << 0,
  keepCache: 1 << 1,
  /** Nothing of ours waits for a close, so the kernel need not write back on one. */
  noFlush: 1 << 5,
  parallelDirectWrites: 1 << 6,
} as const;

/** `fuse_setattr_in.valid` */
export const FATTR_SIZE = 1 << 3;

/** `fallocate(2)` modes. */
export const fallocateMode = { keepSize: 1, punchHole: 2, zeroRange: 16 } as const;

/** Linux's `errno` values (asm-generic), which `fuse_out_header.error` carries negated. */
export const errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EAGAIN: 11,
  EACCES: 13,
  EINVAL: 22,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  ENOSYS: 38,
  EOPNOTSUPP: 95,
  ESTALE: 116,
} as const;

export const size = {
  inHeader: 40,
  outHeader: 16,
  attr: 88,
  entryOut: 128,
  attrOut: 104,
  openOut: 16,
  initOut: 64,
  statfsOut: 80,
  writeIn: 40,
  notifyRetrieveOut: 32,
} as const;

export const fileType = { directory: 0o040000, regular: 0o100000 } as const;
