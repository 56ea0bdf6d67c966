import { limits } from '../../base/mod.ts';
import type { ByteString } from '../byte-string.ts';
import { PaxError, type PaxRecord, parsePaxRecords, paxInteger, paxTime } from './pax.ts';
import { parseSparseList } from './sparse.ts';
import type { TarExtent } from './tar-entry.ts';
import type { TarHeader } from './tar-header.ts';

const SCHILY_XATTR = 'SCHILY.xattr.';
const LIBARCHIVE_XATTR = 'LIBARCHIVE.xattr.';

/** What the extension headers in front of an entry add to its own header. */
export interface TarExtensions {
  mtimeNanoseconds: number;
  xattrs: Map<ByteString, Buffer>;
  /** Formats 0.0 and 0.1: the map, from the PAX header alone. */
  sparseExtents?: TarExtent[];
  /** Format 1.0: the map starts the content. */
  sparseInContent: boolean;
  realSizeBytes?: number;
}

/** Gathers the extension headers (`x`, `g`, `L`, `K`) that precede an entry. */
export class ExtensionCollector {
  /** Of `g` headers: they hold for every later entry. */
  #global = new Map<ByteString, Buffer>();
  #records: PaxRecord[] = [];
  #gnuPath: ByteString | undefined;
  #gnuLinkTarget: ByteString | undefined;

  add(type: string, bytes: Buffer): void {
    if (type === 'x' || type === 'X') this.#records = parsePaxRecords(bytes);
    else if (type === 'g') this.#addGlobal(bytes);
    else if (type === 'L') this.#gnuPath = untilNul(bytes);
    else this.#gnuLinkTarget = untilNul(bytes);
  }

  #addGlobal(bytes: Buffer): void {
    for (const { key, value } of parsePaxRecords(bytes)) {
      if (value.length === 0) this.#global.delete(key);
      else this.#global.set(key, Buffer.from(value));
    }
    if (this.#global.size > 1000) throw new PaxError('the global PAX headers are too many');
  }

  /** Writes into `header` what the extensions override, and forgets those of this entry. */
  apply(header: TarHeader): TarExtensions {
    const extensions: TarExtensions = {
      mtimeNanoseconds: 0,
      xattrs: new Map(),
      sparseInContent: false,
    };
    if (this.#global.size > 0 || this.#records.length > 0) this.#applyPax(header, extensions);
    if (this.#gnuPath !== undefined) header.path = this.#gnuPath;
    if (this.#gnuLinkTarget !== undefined) header.linkTarget = this.#gnuLinkTarget;
    this.#records = [];
    this.#gnuPath = undefined;
    this.#gnuLinkTarget = undefined;
    return extensions;
  }

  #applyPax(header: TarHeader, extensions: TarExtensions): void {
    const values = new Map(this.#global);
    const sparseNumbers: string[] = [];
    for (const { key, value } of this.#records) {
      if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') {
        sparseNumbers.push(value.toString('latin1'));
      } else {
        values.set(key, value);
      }
    }
    for (const [key, value] of values) applyRecord(key, value, header, extensions);
    for (const [key, value] of values) applyLibarchive(key, value, extensions.xattrs);
    applySparse(values, sparseNumbers, header, extensions);
  }
}

function untilNul(bytes: Buffer): ByteString {
  const nul = bytes.indexOf(0);
  return bytes.toString('latin1', 0, nul < 0 ? bytes.length : nul);
}

function applyRecord(
  key: ByteString,
  value: Buffer,
  header: TarHeader,
  extensions: TarExtensions,
): void {
  // An empty value takes back what an earlier header said (POSIX pax): attributes too, as Go's
  // archive/tar reads them, and with it Docker, containerd and umoci.
  if (value.length === 0) return;
  if (key.startsWith(SCHILY_XATTR)) {
    const name = key.slice(SCHILY_XATTR.length);
    if (name !== '') extensions.xattrs.set(name, value);
    return;
  }
  if (key === 'path') header.path = text(key, value);
  else if (key === 'linkpath') header.linkTarget = text(key, value);
  else if (key === 'size') header.sizeBytes = paxInteger(key, value);
  else if (key === 'uid') header.uid = paxInteger(key, value);
  else if (key === 'gid') header.gid = paxInteger(key, value);
  else if (key === 'mtime') {
    const time = paxTime(key, value);
    header.mtimeSeconds = time.seconds;
    extensions.mtimeNanoseconds = time.nanoseconds;
  } else if (key === 'SCHILY.devmajor') header.deviceMajor = paxInteger(key, value);
  else if (key === 'SCHILY.devminor') header.deviceMinor = paxInteger(key, value);
}

/**
 * libarchive's own form, beside SCHILY's or alone: the name is URL-encoded, the value base64
 * (`archive_write_set_format_pax.c`). Where both are there SCHILY's goes first.
 */
function applyLibarchive(key: ByteString, value: Buffer, xattrs: Map<ByteString, Buffer>): void {
  if (!key.startsWith(LIBARCHIVE_XATTR) || value.length === 0) return;
  const name = key
    .slice(LIBARCHIVE_XATTR.length)
    .replace(/%([0-9A-Fa-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  const decoded = Buffer.from(value.toString('latin1'), 'base64');
  if (name !== '' && decoded.length > 0 && !xattrs.has(name)) xattrs.set(name, decoded);
}

function text(key: string, value: Buffer): ByteString {
  if (value.includes(0)) throw new PaxError(`PAX ${key}: it has a NUL byte`);
  if (value.length > limits.image.paxHeaderBytes) throw new PaxError(`PAX ${key}: too long`);
  return value.toString('latin1');
}

/** The three PAX sparse formats of GNU tar ("Storing Sparse Files" in its manual). */
function applySparse(
  values: ReadonlyMap<ByteString, Buffer>,
  numbers: readonly string[],
  header: TarHeader,
  extensions: TarExtensions,
): void {
  const major = values.get('GNU.sparse.major')?.toString('latin1');
  const map = values.get('GNU.sparse.map')?.toString('latin1');
  if (major === undefined && map === undefined && numbers.length === 0) return;

  const name = values.get('GNU.sparse.name');
  if (name !== undefined) header.path = text('GNU.sparse.name', name);
  const size = values.get('GNU.sparse.realsize') ?? values.get('GNU.sparse.size');
  if (size === undefined) throw new PaxError('a sparse entry has no size');
  extensions.realSizeBytes = paxInteger('GNU.sparse.size', size);
  if (map !== undefined) extensions.sparseExtents = parseSparseList(map.split(',').filter(Boolean));
  else if (numbers.length > 0) extensions.sparseExtents = parseSparseList(numbers);
  else if (major === '1') extensions.sparseInContent = true;
  else if (major === '0') extensions.sparseExtents = [];
  else throw new PaxError(`sparse format ${major} is unknown`);
}
