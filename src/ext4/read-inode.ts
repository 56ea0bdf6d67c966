import { SluiceError } from '../base/mod.ts';
import { type InodeKind, inodeFlags, kindCodes } from './format.ts';

/** An inode as it lies on a disk. */
export interface ParsedInode {
  readonly number: number;
  readonly kind: InodeKind;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly linkCount: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  readonly usesExtents: boolean;
  /** The 60 bytes of `i_block`. */
  readonly inlineData: Buffer;
  readonly xattrBlock: number;
  /** From behind `i_extra_isize` to the inode's end. */
  readonly xattrBody: Buffer;
}

export function malformed(what: string): SluiceError {
  return new SluiceError('DISK_MALFORMED', `the disk is no ext4 that Sluice wrote: ${what}`);
}

/** The time of the two fields: 34 bits of seconds from 1901 on, 30 bits of nanoseconds. */
export function decodeTime(low: number, extra: number): { seconds: number; nanoseconds: number } {
  return { seconds: (low | 0) + (extra & 3) * 2 ** 32, nanoseconds: extra >>> 2 };
}

export function parseInode(number: number, raw: Buffer): ParsedInode {
  const modeField = raw.readUInt16LE(0);
  const kind = (Object.keys(kindCodes) as InodeKind[]).find(
    (each) => kindCodes[each].mode === (modeField & 0xf000),
  );
  if (!kind) throw malformed(`inode ${number} is of no known kind`);
  const time = decodeTime(raw.readUInt32LE(0x10), raw.readUInt32LE(0x88));
  const bodyStart = 128 + raw.readUInt16LE(0x80);
  const sizeBytes = raw.readUInt32LE(0x04) + raw.readUInt32LE(0x6c) * 2 ** 32;
  if (!Number.isSafeInteger(sizeBytes)) throw malformed(`inode ${number} has an impossible size`);
  return {
    number,
    kind,
    mode: modeField & 0o7777,
    uid: raw.readUInt16LE(0x02) + raw.readUInt16LE(0x78) * 2 ** 16,
    gid: raw.readUInt16LE(0x18) + raw.readUInt16LE(0x7a) * 2 ** 16,
    sizeBytes,
    linkCount: raw.readUInt16LE(0x1a),
    mtimeSeconds: time.seconds,
    mtimeNanoseconds: time.nanoseconds,
    usesExtents: (raw.readUInt32LE(0x20) & inodeFlags.extents) !== 0,
    inlineData: raw.subarray(0x28, 0x64),
    xattrBlock: raw.readUInt32LE(0x68),
    xattrBody: raw.subarray(Math.min(bodyStart, raw.length)),
  };
}

/** The device number of a character or block inode, in its old or its new encoding. */
export function parseDevice(inode: ParsedInode): { major: number; minor: number } {
  const old = inode.inlineData.readUInt32LE(0);
  if (old !== 0) return { major: (old >> 8) & 0xff, minor: old & 0xff };
  const encoded = inode.inlineData.readUInt32LE(4);
  return {
    major: (encoded & 0xfff00) >>> 8,
    minor: ((encoded & 0xff) | ((encoded >>> 12) & 0xfff00)) >>> 0,
  };
}
