import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { assert } from '../../base/mod.ts';
import { parseStripeId, type StripeKey, stripeId } from './stripe-key.ts';

const MAGIC = Buffer.from('sluice stripes 1');
const ENTRY_BYTES = 64;
/** Where in an entry: the chunk's name, the code, the stripe, its length, its CRC, the entry's CRC. */
const AT = { name: 0, k: 32, m: 33, index: 34, length: 36, dataCrc: 40, entryCrc: 60 } as const;

export interface SlabEntry {
  readonly key: StripeKey;
  readonly sizeBytes: number;
  readonly dataCrc: number;
}

/** What the slab needs of a file; tests put a full or a failing one in its place. */
export type StripeFile = Pick<FileHandle, 'read' | 'write' | 'truncate' | 'stat' | 'close'>;
export type OpenSlabFile = (path: string) => Promise<StripeFile>;

const openFile: OpenSlabFile = (path) =>
  open(path, 'r+').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return open(path, 'w+');
    throw error;
  });

export interface SlabOptions {
  readonly directory: string;
  readonly slotBytes: number;
  readonly slotCount: number;
  readonly openSlabFile?: OpenSlabFile;
}

/**
 * The flash tier's bytes: one file of equal slots, and beside it an index of one 64-byte entry a
 * slot. A stripe is written before its entry, and nothing is synced: a crash may leave an entry
 * whose stripe is old, new or torn. Every read is checked against the entry's CRC-32, so that such
 * a stripe is a miss and never a wrong answer (the worker checks the chunk's hash besides).
 */
export class Slab {
  readonly slotBytes: number;
  readonly slotCount: number;
  readonly #data: StripeFile;
  readonly #index: StripeFile;

  private constructor(options: SlabOptions, data: StripeFile, index: StripeFile) {
    this.slotBytes = options.slotBytes;
    this.slotCount = options.slotCount;
    this.#data = data;
    this.#index = index;
  }

  /** Opens or creates; a slab of another slot size or format starts empty. */
  static async open(
    options: SlabOptions,
  ): Promise<{ slab: Slab; entries: Map<number, SlabEntry> }> {
    await mkdir(options.directory, { recursive: true });
    const openSlabFile = options.openSlabFile ?? openFile;
    const data = await openSlabFile(join(options.directory, 'stripes.slab'));
    const index = await openSlabFile(join(options.directory, 'stripes.index'));
    const slab = new Slab(options, data, index);
    return { slab, entries: await slab.#load() };
  }

  /** The stripe in `slot` if it still is the one that `entry` describes. */
  async read(slot: number, entry: SlabEntry): Promise<Buffer | undefined> {
    const stripe = Buffer.allocUnsafeSlow(entry.sizeBytes);
    const { bytesRead } = await this.#data.read(stripe, 0, stripe.length, slot * this.slotBytes);
    return bytesRead === stripe.length && crc32(stripe) === entry.dataCrc ? stripe : undefined;
  }

  /** Rejects with the system's error, `ENOSPC` among them; the slot then holds nothing. */
  async write(slot: number, key: StripeKey, stripe: Buffer): Promise<SlabEntry> {
    assert(slot < this.slotCount && stripe.length <= this.slotBytes, 'a stripe fits its slot');
    const entry = { key, sizeBytes: stripe.length, dataCrc: crc32(stripe) };
    await writeFully(this.#data, stripe, slot * this.slotBytes);
    await writeFully(this.#index, encodeEntry(entry), (slot + 1) * ENTRY_BYTES);
    return entry;
  }

  /** Makes a slot hold nothing, also after a restart. */
  async clear(slot: number): Promise<void> {
    await writeFully(this.#index, Buffer.alloc(ENTRY_BYTES), (slot + 1) * ENTRY_BYTES);
  }

  async close(): Promise<void> {
    await Promise.all([this.#data.close(), this.#index.close()]);
  }

  async #load(): Promise<Map<number, SlabEntry>> {
    const header = Buffer.alloc(ENTRY_BYTES);
    MAGIC.copy(header);
    header.writeUInt32LE(this.slotBytes, MAGIC.length);
    const bytes = Buffer.alloc((this.slotCount + 1) * ENTRY_BYTES);
    await this.#index.read(bytes, 0, bytes.length, 0);
    if (!bytes.subarray(0, ENTRY_BYTES).equals(header)) {
      await this.#index.truncate(0);
      await writeFully(this.#index, header, 0);
      return new Map();
    }
    const entries = new Map<number, SlabEntry>();
    for (let slot = 0; slot < this.slotCount; slot++) {
      const start = (slot + 1) * ENTRY_BYTES;
      const entry = decodeEntry(bytes.subarray(start, start + ENTRY_BYTES));
      if (entry && entry.sizeBytes <= this.slotBytes) entries.set(slot, entry);
    }
    return entries;
  }
}

async function writeFully(file: StripeFile, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const left = bytes.length - done;
    done += (await file.write(bytes, done, left, position + done)).bytesWritten;
  }
}

function encodeEntry({ key, sizeBytes, dataCrc }: SlabEntry): Buffer {
  const bytes = Buffer.alloc(ENTRY_BYTES);
  bytes.write(key.chunkName, AT.name, 'hex');
  bytes[AT.k] = key.k;
  bytes[AT.m] = key.m;
  bytes[AT.index] = key.index;
  bytes.writeUInt32LE(sizeBytes, AT.length);
  bytes.writeUInt32LE(dataCrc, AT.dataCrc);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, AT.entryCrc)), AT.entryCrc);
  return bytes;
}

function decodeEntry(bytes: Buffer): SlabEntry | undefined {
  const [k, m, index] = [bytes[AT.k]!, bytes[AT.m]!, bytes[AT.index]!];
  if (k === 0 || crc32(bytes.subarray(0, AT.entryCrc)) !== bytes.readUInt32LE(AT.entryCrc)) {
    return undefined;
  }
  const chunkName = bytes.toString('hex', AT.name, AT.name + 32);
  return {
    key: parseStripeId(stripeId({ chunkName, k, m, index })),
    sizeBytes: bytes.readUInt32LE(AT.length),
    dataCrc: bytes.readUInt32LE(AT.dataCrc),
  };
}
