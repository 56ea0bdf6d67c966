import type { ByteString } from '../byte-string.ts';

export const BLOCK_BYTES = 512;

/** The fields of one 512-byte header block, as written (POSIX.1-2001 pax, GNU, V7). */
export interface TarHeader {
  path: ByteString;
  mode: number;
  uid: number;
  gid: number;
  sizeBytes: number;
  mtimeSeconds: number;
  /** One character. */
  type: string;
  linkTarget: ByteString;
  deviceMajor: number;
  deviceMinor: number;
  format: 'v7' | 'ustar' | 'gnu';
}

/** A field that does not parse: no octal digits, a number beyond 2^53, a type that is none. */
export class TarFieldError extends Error {}

/** Bytes up to the first NUL. */
function field(block: Buffer, start: number, length: number): ByteString {
  let end = start;
  const limit = start + length;
  while (end < limit && block[end] !== 0) end++;
  return block.toString('latin1', start, end);
}

/** Octal, or GNU's base-256 (two's complement, the top bit of the first byte set). */
export function tarNumber(block: Buffer, start: number, length: number): number {
  const first = block[start]!;
  if (first & 0x80) return base256(block, start, length);
  let i = start;
  const limit = start + length;
  while (i < limit && (block[i] === 0x20 || block[i] === 0)) i++;
  let value = 0;
  for (; i < limit; i++) {
    const digit = block[i]! - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  for (; i < limit; i++) {
    if (block[i] !== 0x20 && block[i] !== 0) {
      throw new TarFieldError(`"${block.toString('latin1', start, limit)}" is no octal number`);
    }
  }
  return value;
}

function base256(block: Buffer, start: number, length: number): number {
  const negative = (block[start]! & 0x40) !== 0;
  const invert = negative ? 0xff : 0;
  let value = (block[start]! ^ invert) & 0x3f;
  for (let i = start + 1; i < start + length; i++) {
    value = value * 256 + (block[i]! ^ invert);
    if (value > Number.MAX_SAFE_INTEGER) throw new TarFieldError('a number overflows 53 bits');
  }
  return negative ? -value - 1 : value;
}

export function isZeroBlock(block: Buffer): boolean {
  for (let i = 0; i < BLOCK_BYTES; i++) if (block[i] !== 0) return false;
  return true;
}

/** Whether the stored checksum is the block's, summed as unsigned or, as old tars did, signed. */
export function checksumMatches(block: Buffer): boolean {
  let unsigned = 0;
  let high = 0;
  for (let i = 0; i < BLOCK_BYTES; i++) {
    const byte = block[i]!;
    unsigned += byte;
    high += byte >> 7;
  }
  for (let i = 148; i < 156; i++) {
    unsigned -= block[i]!;
    high -= block[i]! >> 7;
  }
  unsigned += 8 * 0x20;
  if (!/^[ 0]*[0-7]*[ \0]*$/.test(block.toString('latin1', 148, 156))) return false;
  const stored = tarNumber(block, 148, 8);
  return stored === unsigned || stored === unsigned - 256 * high;
}

/** Reads a header block whose checksum matches. Throws `TarFieldError`. */
export function parseTarHeader(block: Buffer): TarHeader {
  const magic = block.toString('latin1', 257, 263);
  const format = magic === 'ustar\0' ? 'ustar' : magic === 'ustar ' ? 'gnu' : 'v7';
  let path = field(block, 0, 100);
  if (format === 'ustar' && block[345] !== 0) path = `${field(block, 345, 155)}/${path}`;
  return {
    path,
    mode: tarNumber(block, 100, 8),
    uid: tarNumber(block, 108, 8),
    gid: tarNumber(block, 116, 8),
    sizeBytes: tarNumber(block, 124, 12),
    mtimeSeconds: tarNumber(block, 136, 12),
    type: block.toString('latin1', 156, 157),
    linkTarget: field(block, 157, 100),
    deviceMajor: format === 'v7' ? 0 : tarNumber(block, 329, 8),
    deviceMinor: format === 'v7' ? 0 : tarNumber(block, 337, 8),
    format,
  };
}
