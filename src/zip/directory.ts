import { limits, SluiceError } from '../base/mod.ts';
import * as zip from './layout.ts';

/** One member as the archive's directory has it; nothing of it is true until its content is read. */
export interface ZipEntry {
  /** Relative, without `.`, `..` or a slash at its end; its bytes, one a character. */
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'symlink';
  /** Permissions; 0755 where the archive has none. */
  readonly mode: number;
  readonly mtimeSeconds: number;
  readonly isDeflated: boolean;
  readonly crc32: number;
  readonly storedBytes: number;
  readonly sizeBytes: number;
  /** Of the stored bytes in the archive. */
  readonly offset: number;
}

/** `name`: of the member that is meant, as its bytes. */
export function invalid(what: string, name?: string): SluiceError {
  const member = name === undefined ? 'it' : JSON.stringify(Buffer.from(name, 'latin1').toString());
  return new SluiceError('CODE_INVALID', `zip archive: ${member} ${what}`);
}

/** Reads an archive's directory and checks each entry against it. Throws `CODE_INVALID`. */
export function readZipDirectory(bytes: Buffer): ZipEntry[] {
  const end = findEnd(bytes);
  const { entries, offset } = directoryOf(bytes, end);
  const { archiveEntries } = limits.lambda;
  if (entries > archiveEntries) throw invalid(`has more than ${archiveEntries} files`);
  const found: ZipEntry[] = [];
  let at = offset;
  for (let index = 0; index < entries; index++) {
    if (at + zip.ENTRY_BYTES > end || bytes.readUInt32LE(at) !== zip.ENTRY_SIGNATURE) {
      throw invalid('is cut off in its directory');
    }
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) =>
      bytes.readUInt16LE(at + field),
    ) as [number, number, number];
    const next = at + zip.ENTRY_BYTES + nameBytes + extraBytes + commentBytes;
    if (next > end) throw invalid('is cut off in its directory');
    const entry = readEntry(bytes, at, nameBytes, extraBytes);
    if (entry) found.push(entry);
    at = next;
  }
  return found;
}

/** What all members together claim to unpack to. */
export function unpackedBytes(entries: readonly ZipEntry[]): number {
  return entries.reduce((sum, each) => sum + each.sizeBytes, 0);
}

/** Where the directory ends: the last signature whose comment fills the rest. */
function findEnd(bytes: Buffer): number {
  const lowest = Math.max(0, bytes.length - zip.END_BYTES - zip.COMMENT_BYTES_MAX);
  for (let at = bytes.length - zip.END_BYTES; at >= lowest; at--) {
    if (bytes.readUInt32LE(at) !== zip.END_SIGNATURE) continue;
    if (at + zip.END_BYTES + bytes.readUInt16LE(at + 20) === bytes.length) return at;
  }
  throw invalid('has no directory at its end');
}

/** How many entries, and where the first stands; in a zip64 archive another record says so. */
function directoryOf(bytes: Buffer, end: number): { entries: number; offset: number } {
  const entries = bytes.readUInt16LE(end + 10);
  const offset = bytes.readUInt32LE(end + 16);
  if (entries !== 0xffff && offset !== zip.IN_ZIP64) return { entries, offset };
  const locator = end - zip.END64_LOCATOR_BYTES;
  if (locator < 0 || bytes.readUInt32LE(locator) !== zip.END64_LOCATOR_SIGNATURE) {
    return { entries, offset };
  }
  const end64 = safeNumber(bytes, locator + 8);
  const inside = end64 + zip.END64_BYTES <= locator;
  if (!inside || bytes.readUInt32LE(end64) !== zip.END64_SIGNATURE) {
    throw invalid('has no directory where it says');
  }
  return { entries: safeNumber(bytes, end64 + 32), offset: safeNumber(bytes, end64 + 48) };
}

function safeNumber(bytes: Buffer, at: number): number {
  const value = bytes.readBigUInt64LE(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid('has a number that is out of range');
  return Number(value);
}

/** The entry at `at`, or none for the root itself. */
function readEntry(
  bytes: Buffer,
  at: number,
  nameBytes: number,
  extraBytes: number,
): ZipEntry | undefined {
  const nameAt = at + zip.ENTRY_BYTES;
  const stored = bytes.toString('latin1', nameAt, nameAt + nameBytes);
  const name = cleanName(stored);
  if (name === '') return undefined;
  const flags = bytes.readUInt16LE(at + 8);
  const method = bytes.readUInt16LE(at + 10);
  if (flags & zip.FLAG_ENCRYPTED) throw invalid('is encrypted', name);
  if (method !== zip.METHOD_STORED && method !== zip.METHOD_DEFLATED) {
    throw invalid(`is packed by method ${method}, which is not known here`, name);
  }
  const extra = bytes.subarray(nameAt + nameBytes, nameAt + nameBytes + extraBytes);
  const sizes = sizesOf(bytes, at, extra);
  return {
    name,
    ...kindOf(bytes, at, stored.endsWith('/')),
    mtimeSeconds: dosTime(bytes.readUInt16LE(at + 14), bytes.readUInt16LE(at + 12)),
    isDeflated: method === zip.METHOD_DEFLATED,
    crc32: bytes.readUInt32LE(at + 16),
    storedBytes: sizes.storedBytes,
    sizeBytes: sizes.sizeBytes,
    offset: contentOffset(bytes, sizes.localOffset, sizes.storedBytes, name),
  };
}

/** Refuses what leads out of where the archive is unpacked, rather than guess what was meant. */
function cleanName(stored: string): string {
  const parts = stored.split('/');
  if (stored.startsWith('/') || parts.includes('..') || stored.includes('\0')) {
    throw invalid('leads out of it', stored);
  }
  return parts.filter((part) => part !== '' && part !== '.').join('/');
}

function kindOf(bytes: Buffer, at: number, endsInSlash: boolean): Pick<ZipEntry, 'kind' | 'mode'> {
  const isUnix = bytes.readUInt8(at + 5) === zip.HOST_UNIX;
  const attributes = isUnix ? bytes.readUInt16LE(at + 40) : 0;
  const type = attributes & zip.S_IFMT;
  const mode = attributes & 0o777 || 0o755;
  if (endsInSlash || type === zip.S_IFDIR) return { kind: 'directory', mode };
  return { kind: type === zip.S_IFLNK ? 'symlink' : 'file', mode };
}

/** The 32-bit fields; one that is full stands in the zip64 field, in this order. */
function sizesOf(bytes: Buffer, at: number, extra: Buffer) {
  const wide = zip64Field(extra);
  let used = 0;
  const read = (field: number) => {
    const value = bytes.readUInt32LE(at + field);
    if (value !== zip.IN_ZIP64 || !wide || used + 8 > wide.length) return value;
    used += 8;
    return safeNumber(wide, used - 8);
  };
  return { sizeBytes: read(24), storedBytes: read(20), localOffset: read(42) };
}

function zip64Field(extra: Buffer): Buffer | undefined {
  for (let at = 0; at + 4 <= extra.length; ) {
    const length = extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === zip.ZIP64_FIELD) return extra.subarray(at + 4, at + 4 + length);
    at += 4 + length;
  }
  return undefined;
}

function contentOffset(bytes: Buffer, local: number, storedBytes: number, name: string): number {
  const isLocal =
    local + zip.LOCAL_BYTES <= bytes.length && bytes.readUInt32LE(local) === zip.LOCAL_SIGNATURE;
  if (!isLocal) throw invalid('is not where the directory says', name);
  const names = bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
  const offset = local + zip.LOCAL_BYTES + names;
  if (offset + storedBytes > bytes.length) throw invalid('is cut off', name);
  return offset;
}

/** Archives keep wall-clock times without a zone; they are taken for UTC. */
function dosTime(date: number, time: number): number {
  const [year, month, day] = [1980 + (date >> 9), (date >> 5) & 15, date & 31];
  const [hour, minute, second] = [time >> 11, (time >> 5) & 63, (time & 31) * 2];
  return Date.UTC(year, month - 1, day, hour, minute, second) / 1000;
}
