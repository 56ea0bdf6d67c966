import { readSync, writeSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { assert, CHUNK_SIZE_BYTES, type Clock, systemErrorCode } from '../../base/mod.ts';
import { type ChunkName, verifyChunk } from '../../seal/mod.ts';
import { CORRELATED_MS } from './slot-references.ts';

/** Slots that a chunk may lie in: enough that the policy within a set is close to a global one. */
const WAYS = 16;
const ENTRY_BYTES = 64;
/** Fields of an index entry; all zero is an empty one. */
const AT = { name: 0, latestMs: 32, previousMs: 40 } as const;
const NAME_BYTES = 32;
/** After a failed write the slab only reads for so long. */
const PAUSE_MS = 10_000;

/** What the slab needs of a file; a test puts a full or failing one in its place. */
export type SlabFile = Pick<FileHandle, 'fd' | 'read' | 'write' | 'close'>;

export interface ChunkSlabOptions {
  readonly directory: string;
  readonly limitBytes: number;
  readonly clock: Clock;
  readonly openFile?: (path: string) => Promise<SlabFile>;
}

/**
 * Ciphertext chunks in one file of equal slots, shared by all agents of a worker without a lock:
 * a chunk's name says which 16 slots it may lie in, each slot has a 64-byte index entry with the
 * name and the last two uses, and LRU-K (K = 2) decides within the 16. Bytes are believed only when
 * their SHA-256 is the name, so that whatever processes, crashes or bit flips leave in a slot is a
 * miss and never a wrong answer. Nothing is rebuilt at a restart, since the index is the file.
 */
export class ChunkSlab {
  readonly #sets: number;
  readonly #data: SlabFile;
  readonly #index: SlabFile;
  readonly #clock: Clock;
  #pausedUntilMs = 0;

  private constructor(sets: number, data: SlabFile, index: SlabFile, clock: Clock) {
    this.#sets = sets;
    this.#data = data;
    this.#index = index;
    this.#clock = clock;
  }

  /** Opens or creates; a slab of another size in the same directory is removed. */
  static async open(options: ChunkSlabOptions): Promise<ChunkSlab> {
    const { directory, limitBytes, clock, openFile = openOrCreate } = options;
    const sets = Math.max(1, Math.floor(limitBytes / CHUNK_SIZE_BYTES / WAYS));
    const [dataName, indexName] = [`chunks-${sets}.slab`, `chunks-${sets}.index`];
    await mkdir(directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(directory)) {
      if (name === dataName || name === indexName || !/^chunks-\d+\./.test(name)) continue;
      await rm(join(directory, name), { force: true });
    }
    const data = await openFile(join(directory, dataName));
    const index = await openFile(join(directory, indexName));
    return new ChunkSlab(sets, data, index, clock);
  }

  /**
   * Fills `into` with the chunk, verified, in the caller's thread; false when it is not here. An
   * entry whose bytes are not its chunk is dropped. A disk that cannot be read has no chunks.
   */
  readIntoSync(name: ChunkName, into: Buffer): boolean {
    try {
      const place = this.#find(name);
      if (!place) return false;
      const at = place.slot * CHUNK_SIZE_BYTES;
      return this.#admit(place, into, readSync(this.#data.fd, into, 0, into.length, at));
    } catch (error) {
      return noChunk(error);
    }
  }

  /** The same, with the bytes read in another thread. */
  async readInto(name: ChunkName, into: Buffer): Promise<boolean> {
    try {
      const place = this.#find(name);
      if (!place) return false;
      const at = place.slot * CHUNK_SIZE_BYTES;
      const { bytesRead } = await this.#data.read(into, 0, into.length, at);
      return this.#admit(place, into, bytesRead);
    } catch (error) {
      return noChunk(error);
    }
  }

  #find(name: ChunkName): Place | undefined {
    const set = Buffer.alloc(WAYS * ENTRY_BYTES);
    readSync(this.#index.fd, set, 0, set.length, this.#set(name) * set.length);
    const entries = parseEntries(set);
    const way = entries.findIndex((entry) => entry.name === name);
    return way < 0 ? undefined : { slot: this.#slot(name, way), entry: entries[way]! };
  }

  /** Notes the use of a chunk that is right, drops the entry of one that is not. */
  #admit({ slot, entry }: Place, bytes: Buffer, readBytes: number): boolean {
    const isRight = readBytes === CHUNK_SIZE_BYTES && verifyChunk(entry.name, bytes);
    const next = entryBytes(isRight ? this.#touched(entry) : undefined);
    writeSync(this.#index.fd, next, 0, ENTRY_BYTES, slot * ENTRY_BYTES);
    return isRight;
  }

  /**
   * Keeps a chunk, in the stead of the one worth least among those that it may replace. A disk that
   * takes no bytes makes the slab read-only for a while; that is all that comes of it.
   */
  async put(name: ChunkName, bytes: Buffer): Promise<'stored' | 'present' | 'skipped'> {
    assert(bytes.length === CHUNK_SIZE_BYTES, 'a slab keeps whole chunks');
    if (this.#clock.nowMs() < this.#pausedUntilMs) return 'skipped';
    const entries = await this.#entries(name);
    if (entries.some((entry) => entry.name === name)) return 'present';
    const slot = this.#slot(name, victimOf(entries));
    try {
      // The entry goes before the bytes and comes back after them, so that a crash leaves a miss.
      await this.#writeEntry(slot, undefined);
      const { bytesWritten } = await this.#data.write(
        bytes,
        0,
        bytes.length,
        slot * CHUNK_SIZE_BYTES,
      );
      if (bytesWritten < bytes.length) return this.#pause();
      const latestMs = this.#clock.nowMs();
      await this.#writeEntry(slot, { name, latestMs, previousMs: 0 });
      return 'stored';
    } catch (error) {
      if (systemErrorCode(error) === undefined) throw error;
      return this.#pause();
    }
  }

  async close(): Promise<void> {
    await this.#data.close();
    await this.#index.close();
  }

  #pause(): 'skipped' {
    this.#pausedUntilMs = this.#clock.nowMs() + PAUSE_MS;
    return 'skipped';
  }

  #set(name: ChunkName): number {
    return Number.parseInt(name.slice(0, 8), 16) % this.#sets;
  }

  #slot(name: ChunkName, way: number): number {
    return this.#set(name) * WAYS + way;
  }

  async #entries(name: ChunkName): Promise<Entry[]> {
    const bytes = Buffer.alloc(WAYS * ENTRY_BYTES);
    await this.#index.read(bytes, 0, bytes.length, this.#set(name) * bytes.length);
    return parseEntries(bytes);
  }

  #touched({ name, latestMs, previousMs }: Entry): Entry {
    const nowMs = this.#clock.nowMs();
    const isAnother = nowMs - latestMs > CORRELATED_MS;
    return { name, latestMs: nowMs, previousMs: isAnother ? latestMs : previousMs };
  }

  async #writeEntry(slot: number, entry: Entry | undefined): Promise<void> {
    await this.#index.write(entryBytes(entry), 0, ENTRY_BYTES, slot * ENTRY_BYTES);
  }
}

interface Entry {
  readonly name: ChunkName;
  readonly latestMs: number;
  /** 0 when there was no use before the last. */
  readonly previousMs: number;
}

interface Place {
  readonly slot: number;
  readonly entry: Entry;
}

function noChunk(error: unknown): false {
  if (systemErrorCode(error) === undefined) throw error;
  return false;
}

function parseEntries(set: Buffer): Entry[] {
  return Array.from({ length: WAYS }, (_, way) => {
    const at = way * ENTRY_BYTES;
    return {
      name: set.toString('hex', at + AT.name, at + AT.name + NAME_BYTES),
      latestMs: set.readDoubleLE(at + AT.latestMs),
      previousMs: set.readDoubleLE(at + AT.previousMs),
    };
  });
}

function entryBytes(entry: Entry | undefined): Buffer {
  const bytes = Buffer.alloc(ENTRY_BYTES);
  if (entry) {
    bytes.write(entry.name, AT.name, 'hex');
    bytes.writeDoubleLE(entry.latestMs, AT.latestMs);
    bytes.writeDoubleLE(entry.previousMs, AT.previousMs);
  }
  return bytes;
}

/** LRU-2: an empty entry, then one that was used once, then the longest past second last use. */
function victimOf(entries: readonly Entry[]): number {
  let victim = 0;
  for (const [way, entry] of entries.entries()) {
    const worst = entries[victim]!;
    const sooner = entry.previousMs - worst.previousMs || entry.latestMs - worst.latestMs;
    if (sooner < 0) victim = way;
  }
  return victim;
}

async function openOrCreate(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+');
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
  try {
    return await open(path, 'wx+', 0o600);
  } catch (error) {
    // Another agent made it meanwhile.
    if (systemErrorCode(error) !== 'EEXIST') throw error;
    return await open(path, 'r+');
  }
}
