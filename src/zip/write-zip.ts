import { crc32, deflateRawSync } from 'node:zlib';
import { assert } from '../base/mod.ts';
import * as zip from './layout.ts';

/** One file to pack. */
export interface ZipMember {
  /** Relative, parts separated by slashes. */
  readonly name: string;
  /** Permissions; 0644 unless given. */
  readonly mode?: number;
  /** The content is where it leads to. */
  readonly isSymlink?: boolean;
  readonly content: Buffer;
}

const VERSION = 20;
/** Midnight of 1980-01-01, the first that the format knows: equal files give equal archives. */
const DOS_DATE = 0x21;
const MEMBERS_MAX = 0xfffe;

/** Packs files, deflated where that is shorter. At most 65,534 of them and 4 GiB in all. */
export function writeZip(members: readonly ZipMember[]): Buffer {
  assert(members.length <= MEMBERS_MAX, 'the members fit the format without its extensions');
  const parts: Buffer[] = [];
  const entries: Buffer[] = [];
  let offset = 0;
  for (const member of members) {
    const name = Buffer.from(member.name);
    const packed = deflateRawSync(member.content);
    const isShorter = packed.length < member.content.length;
    const data = isShorter ? packed : member.content;
    const common = commonFields(member, name, data, isShorter);
    const local = Buffer.alloc(4);
    local.writeUInt32LE(zip.LOCAL_SIGNATURE);
    entries.push(directoryEntry(member, common, offset), name);
    parts.push(local, common, name, data);
    offset += zip.LOCAL_BYTES + name.length + data.length;
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(zip.END_BYTES);
  end.writeUInt32LE(zip.END_SIGNATURE, 0);
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, directory, end]);
}

/** The 26 bytes that local header and directory entry have in common. */
function commonFields(member: ZipMember, name: Buffer, data: Buffer, deflated: boolean): Buffer {
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(VERSION, 0);
  fields.writeUInt16LE(zip.FLAG_UTF8, 2);
  fields.writeUInt16LE(deflated ? zip.METHOD_DEFLATED : zip.METHOD_STORED, 4);
  fields.writeUInt16LE(DOS_DATE, 8);
  fields.writeUInt32LE(crc32(member.content), 10);
  fields.writeUInt32LE(data.length, 14);
  fields.writeUInt32LE(member.content.length, 18);
  fields.writeUInt16LE(name.length, 22);
  return fields;
}

function directoryEntry(member: ZipMember, common: Buffer, offset: number): Buffer {
  const entry = Buffer.alloc(zip.ENTRY_BYTES);
  entry.writeUInt32LE(zip.ENTRY_SIGNATURE, 0);
  entry.writeUInt16LE((zip.HOST_UNIX << 8) | VERSION, 4);
  common.copy(entry, 6);
  const type = member.isSymlink ? zip.S_IFLNK : zip.S_IFREG;
  entry.writeUInt16LE(type | (member.mode ?? 0o644), 40);
  entry.writeUInt32LE(offset, 42);
  return entry;
}
