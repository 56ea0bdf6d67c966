/**
 * The numbers of the NBD protocol: fixed newstyle handshake, structured replies, block status.
 * Source: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md; all big-endian.
 */

export const magic = {
  server: Buffer.from('NBDMAGIC', 'latin1'),
  option: Buffer.from('IHAVEOPT', 'latin1'),
  optionReply: 0x0003e889045565a9n,
  request: 0x25609513,
  simpleReply: 0x67446698,
  structuredReply: 0x668e33ef,
} as const;

export const handshakeFlag = { fixedNewstyle: 1, noZeroes: 2 } as const;

export const option = {
  exportName: 1,
  abort: 2,
  list: 3,
  info: 6,
  go: 7,
  structuredReply: 8,
  listMetaContext: 9,
  setMetaContext: 10,
} as const;

export const optionReply = {
  ack: 1,
  server: 2,
  info: 3,
  metaContext: 4,
  errorUnsupported: 0x80000001,
  errorInvalid: 0x80000003,
  errorUnknown: 0x80000006,
  errorTooBig: 0x80000009,
} as const;

export const info = { export: 0, blockSize: 3 } as const;

export const transmissionFlag = {
  hasFlags: 1 << 0,
  readOnly: 1 << 1,
  sendFlush: 1 << 2,
  sendFua: 1 << 3,
  sendTrim: 1 << 5,
  sendWriteZeroes: 1 << 6,
  sendDf: 1 << 7,
  canMultiConn: 1 << 8,
} as const;

export const command = {
  read: 0,
  write: 1,
  disconnect: 2,
  flush: 3,
  trim: 4,
  writeZeroes: 6,
  blockStatus: 7,
} as const;

export const commandFlag = { requestOne: 1 << 3 } as const;

export const replyFlag = { done: 1 } as const;

export const replyType = {
  none: 0,
  offsetData: 1,
  offsetHole: 2,
  blockStatus: 5,
  error: 32_769,
} as const;

/** `base:allocation` states. */
export const allocation = { hole: 1, zero: 2 } as const;
export const ALLOCATION_CONTEXT = 'base:allocation';

/** The errors that may go over the wire, with Linux's numbers. */
export const errno = { EPERM: 1, EIO: 5, EINVAL: 22, ENOSPC: 28, ENOTSUP: 95, ESHUTDOWN: 108 };

export const size = { optionHeader: 16, request: 28, infoBlockSize: 14 } as const;
