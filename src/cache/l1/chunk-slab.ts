import { readSync, writeSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { assert, CHUNK_SIZE_BYTES, type Clock, systemErrorCode } from '../../base/mod.ts';
import { type ChunkName, verifyChunk } from '../../seal/mod.ts';
import {
  ENTRY_BYTES,
  entryBytes,
  parseEntries,
  type SlabUse,
  victimOf,
  WAYS,
} from './slab-entry.ts';
import { SlabPast } from './slab-past.ts';
import { CORRELATED_MS } from './slot-references.ts';

const STAT_BLOCK_BYTES = 512;
/** After a failed write the slab only reads for so long. */
const PAUSE_MS = 10_000;

/** What the slab needs of a file; a test puts a full or failing one in its place. */
export type SlabFile = Pick<FileHandle, 'fd' | 'read' | 'write' | 'close'>;

interface SlabFiles {
  readonly data: SlabFile;
  readonly index: SlabFile;
  readonly past: SlabFile;
}

export interface ChunkSlabOptions {
  readonly directory: string;
  readonly limitBytes: number;
  readonly clock: Clock;
  readonly openFile?: (path: string) => Promise<SlabFile>;
}

/**
 * Ciphertext chunks in one file of equal slots, shared by all agents of a worker without a lock:
 * a chunk's name says which 16 slots it may lie in, each slot has a 64-byte index entry with the
 * name and the last two uses, and LRU-K (K = 2) decides within the 16. What was evicted is remembered
 * for a while, so that its next use counts as its second (`SlabPast`). Bytes are believed only when
 * their SHA-256 is the name, so that whatever processes, crashes or bit flips leave in a slot is a
 * miss and never a wrong answer. Nothing is rebuilt at a restart, since the index is the file.
 */
export class ChunkSlab {
  readonly #sets: number;
  readonly #data: SlabFile;
  readonly #index: SlabFile;
  readonly #past: SlabPast;
  readonly #clock: Clock;
  #pausedUntilMs = 0;

  private constructor(sets: number, files: SlabFiles, clock: Clock) {
    this.#sets = sets;
    this.#data = files.data;
    this.#index = files.index;
    this.#past = new SlabPast(files.past);
    this.#clock = clock;
  }

  /** Opens or creates; a slab of another size in the same directory is removed. */
  static async open(options: ChunkSlabOptions): Promise<ChunkSlab> {
    const { directory, limitBytes, clock, openFile = openOrCreate } = options;
    const sets = Math.max(1, Math.floor(limitBytes / CHUNK_SIZE_BYTES / WAYS));
    const names = ['slab', 'index', 'past'].map((kind) => `chunks-${sets}.${kind}`);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(directory)) {
      if (names.includes(name) || !/^chunks-\d+\./.test(name)) continue;
      await rm(join(directory, name), { force: true });
    }
    const [data, index, past] = await Promise.all(
      names.map((name) => openFile(join(directory, name))),
    );
    return new ChunkSlab(sets, { data: data!, index: index!, past: past! }, clock);
  }

  /** Of the slab in a directory: its size, and what of it takes room on the disk. */
  static async find(
    directory: string,
  ): Promise<{ limitBytes: number; takenBytes: number } | undefined> {
    const names = await readdir(directory).catch(() => []);
    for (const name of names) {
      const sets = /^chunks-(\d+)\.slab$/.exec(name)?.[1];
      if (sets === undefined) continue;
      const { blocks } = await stat(join(directory, name));
      const limitBytes = Number(sets) * WAYS * CHUNK_SIZE_BYTES;
      return { limitBytes, takenBytes: blocks * STAT_BLOCK_BYTES };
    }
    return undefined;
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
    if (this.#clock.monotonicMs() < this.#pausedUntilMs) return 'skipped';
    const entries = await this.#entries(name);
    if (entries.some((entry) => entry.name === name)) return 'present';
    const victim = victimOf(entries);
    const slot = this.#slot(name, victim);
    try {
      const previousMs = await this.#past.exchange(this.#set(name), name, entries[victim]!);
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
      const isAnother = latestMs - previousMs > CORRELATED_MS;
      await this.#writeEntry(slot, { name, latestMs, previousMs: isAnother ? previousMs : 0 });
      return 'stored';
    } catch (error) {
      if (systemErrorCode(error) === undefined) throw error;
      return this.#pause();
    }
  }

  async close(): Promise<void> {
    await this.#data.close();
    await this.#index.close();
    await this.#past.close();
  }

  #pause(): 'skipped' {
    this.#pausedUntilMs = this.#clock.monotonicMs() + PAUSE_MS;
    return 'skipped';
  }

  #set(name: ChunkName): number {
    return Number.parseInt(name.slice(0, 8), 16) % this.#sets;
  }

  #slot(name: ChunkName, way: number): number {
    return this.#set(name) * WAYS + way;
  }

  async #entries(name: ChunkName): Promise<SlabUse[]> {
    const bytes = Buffer.alloc(WAYS * ENTRY_BYTES);
    await this.#index.read(bytes, 0, bytes.length, this.#set(name) * bytes.length);
    return parseEntries(bytes);
  }

  #touched({ name, latestMs, previousMs }: SlabUse): SlabUse {
    const nowMs = this.#clock.nowMs();
    const isAnother = nowMs - latestMs > CORRELATED_MS;
    return { name, latestMs: nowMs, previousMs: isAnother ? latestMs : previousMs };
  }

  async #writeEntry(slot: number, entry: SlabUse | undefined): Promise<void> {
    await this.#index.write(entryBytes(entry), 0, ENTRY_BYTES, slot * ENTRY_BYTES);
  }
}

interface Place {
  readonly slot: number;
  readonly entry: SlabUse;
}

function noChunk(error: unknown): false {
  if (systemErrorCode(error) === undefined) throw error;
  return false;
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
