import { assert } from '../../base/mod.ts';
import type { ByteString } from '../byte-string.ts';
import { paxRecord } from './pax.ts';
import type { EntryKind } from './tar-entry.ts';
import { BLOCK_BYTES } from './tar-header.ts';

/** What to write of an entry; what is left out is 0, or the mode usual for its kind. */
export interface TarWriterEntry {
  readonly path: ByteString;
  readonly kind?: EntryKind;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtimeSeconds?: number;
  readonly mtimeNanoseconds?: number;
  readonly linkTarget?: ByteString;
  readonly deviceMajor?: number;
  readonly deviceMinor?: number;
  readonly xattrs?: ReadonlyMap<ByteString, Buffer>;
  /** Needed when the content is a stream. */
  readonly sizeBytes?: number;
}

const types: Readonly<Record<EntryKind, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

const OCTAL_11_DIGITS = 8 ** 11;
const OCTAL_7_DIGITS = 8 ** 7;

/**
 * Writes a tar stream: ustar, with a PAX header where ustar cannot say it (long or non-ASCII
 * names, attributes, nanoseconds, large or negative numbers). `write` gets the bytes in order.
 */
export class TarWriter {
  readonly #write: (bytes: Buffer) => void | Promise<void>;

  constructor(write: (bytes: Buffer) => void | Promise<void>) {
    this.#write = write;
  }

  async add(entry: TarWriterEntry, content?: Buffer | AsyncIterable<Buffer>): Promise<void> {
    const sizeBytes = Buffer.isBuffer(content) ? content.length : (entry.sizeBytes ?? 0);
    const records = paxRecords(entry, sizeBytes);
    if (records.length > 0) {
      const body = Buffer.concat(records);
      await this.#write(headerBlock({ path: 'pax' }, 'x', body.length));
      await this.#write(padded(body));
    }
    await this.#write(headerBlock(entry, types[entry.kind ?? 'file'], sizeBytes));
    if (content !== undefined) await this.#content(content, sizeBytes);
  }

  /** The end-of-archive mark. */
  async end(): Promise<void> {
    await this.#write(Buffer.alloc(2 * BLOCK_BYTES));
  }

  async #content(content: Buffer | AsyncIterable<Buffer>, sizeBytes: number): Promise<void> {
    let written = 0;
    if (Buffer.isBuffer(content)) {
      written = content.length;
      await this.#write(content);
    } else {
      for await (const bytes of content) {
        written += bytes.length;
        await this.#write(bytes);
      }
    }
    assert(written === sizeBytes, `an entry of ${sizeBytes} bytes got ${written}`);
    const rest = sizeBytes % BLOCK_BYTES;
    if (rest > 0) await this.#write(Buffer.alloc(BLOCK_BYTES - rest));
  }
}

function paxRecords(entry: TarWriterEntry, sizeBytes: number): Buffer[] {
  const records: Buffer[] = [];
  const put = (key: string, value: Buffer | string | number) =>
    records.push(
      paxRecord(key, Buffer.isBuffer(value) ? value : Buffer.from(`${value}`, 'latin1')),
    );
  if (!fits(entry.path, 100)) put('path', entry.path);
  if (entry.linkTarget !== undefined && !fits(entry.linkTarget, 100)) {
    put('linkpath', entry.linkTarget);
  }
  if (sizeBytes >= OCTAL_11_DIGITS) put('size', sizeBytes);
  for (const key of ['uid', 'gid'] as const) {
    const id = entry[key] ?? 0;
    if (id < 0 || id >= OCTAL_7_DIGITS) put(key, id);
  }
  const seconds = entry.mtimeSeconds ?? 0;
  const nanoseconds = entry.mtimeNanoseconds ?? 0;
  if (nanoseconds !== 0 || seconds < 0 || seconds >= OCTAL_11_DIGITS) {
    put('mtime', formatTime(seconds, nanoseconds));
  }
  const xattrs = [...(entry.xattrs ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, value] of xattrs) put(`SCHILY.xattr.${name}`, value);
  return records;
}

function fits(text: ByteString, length: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7e) return false;
  return text.length <= length;
}

/** PAX writes a time before the epoch as a negative decimal fraction. */
function formatTime(seconds: number, nanoseconds: number): string {
  const fraction = (value: number) => String(value).padStart(9, '0').replace(/0+$/, '');
  if (nanoseconds === 0) return String(seconds);
  if (seconds >= 0) return `${seconds}.${fraction(nanoseconds)}`;
  return `-${-seconds - 1}.${fraction(1_000_000_000 - nanoseconds)}`;
}

function headerBlock(entry: TarWriterEntry, type: string, sizeBytes: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, start: number, length: number) => {
    const inRange = value >= 0 && value < 8 ** (length - 1);
    block.write((inRange ? value : 0).toString(8).padStart(length - 1, '0'), start, 'latin1');
  };
  const mode = entry.mode ?? (entry.kind === 'directory' ? 0o755 : 0o644);
  block.write(entry.path.slice(0, 100), 0, 'latin1');
  octal(mode & 0o7777, 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(sizeBytes, 124, 12);
  octal(entry.mtimeSeconds ?? 0, 136, 12);
  block.write('        ', 148, 'latin1');
  block.write(type, 156, 'latin1');
  block.write((entry.linkTarget ?? '').slice(0, 100), 157, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  octal(entry.deviceMajor ?? 0, 329, 8);
  octal(entry.deviceMinor ?? 0, 337, 8);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function padded(bytes: Buffer): Buffer {
  const rest = bytes.length % BLOCK_BYTES;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(BLOCK_BYTES - rest)]);
}
