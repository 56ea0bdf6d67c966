import { assert, CHUNK_SIZE_BYTES, SluiceError } from '../base/mod.ts';
import type { Manifest } from '../seal/mod.ts';
import type { ChunkMemory } from './chunk-memory.ts';
import type { DeviceCounters } from './device-counters.ts';
import type { PlainPages } from './plain-pages.ts';

const UNKNOWN = -1;
const HOLE = -2;

export interface ChunkMapOptions {
  readonly manifest: Manifest;
  readonly memory: ChunkMemory;
  readonly plainPages: PlainPages;
  readonly counters: DeviceCounters;
}

/**
 * Where the chunks of one disk lie in the memory tier: eight bytes a chunk, no object for any. A
 * place is believed only while its slot's generation is the one that it was noted with.
 */
export class ChunkMap {
  readonly #manifest: Manifest;
  readonly #memory: ChunkMemory;
  readonly #plainPages: PlainPages;
  readonly #counters: DeviceCounters;
  readonly #slots: Int32Array;
  readonly #generations: Uint32Array;
  /** Chunks that were fetched ahead and not read yet. */
  #ahead: Uint8Array | undefined;
  #streamed = -1;

  constructor({ manifest, memory, plainPages, counters }: ChunkMapOptions) {
    if (manifest.chunkSizeBytes !== CHUNK_SIZE_BYTES) {
      throw new SluiceError(
        'MANIFEST_MALFORMED',
        `${manifest.manifestId}: a device takes chunks of ${CHUNK_SIZE_BYTES} bytes`,
      );
    }
    this.#manifest = manifest;
    this.#memory = memory;
    this.#plainPages = plainPages;
    this.#counters = counters;
    this.#slots = new Int32Array(manifest.chunkCount).fill(UNKNOWN);
    this.#generations = new Uint32Array(manifest.chunkCount);
    for (let chunk = 0; chunk < manifest.chunkCount; chunk++) {
      if (manifest.chunkName(chunk) === undefined) this.#slots[chunk] = HOLE;
    }
  }

  get chunkCount(): number {
    return this.#slots.length;
  }

  name(chunk: number): string {
    const name = this.#manifest.chunkName(chunk);
    assert(name !== undefined, `chunk ${chunk} is not a zero chunk`);
    return name;
  }

  /** A zero chunk: nothing is stored of it. */
  isHole(chunk: number): boolean {
    return this.#slots[chunk] === HOLE;
  }

  /** The slot that holds the chunk, ready to read, or -1. Throws `MANIFEST_TAMPERED`. */
  slotOf(chunk: number): number {
    const known = this.#slots[chunk]!;
    if (known >= 0 && this.#memory.generation(known) === this.#generations[chunk]) return known;
    const name = this.name(chunk);
    const slot = this.#memory.find(name);
    if (slot < 0 || !this.#memory.isReady(slot)) return -1;
    this.#plainPages.bind(slot, this.#manifest.chunkKey(chunk), name);
    this.#slots[chunk] = slot;
    this.#generations[chunk] = this.#memory.generation(slot);
    if (this.#ahead?.[chunk]) {
      this.#ahead[chunk] = 0;
      this.#counters.usedPrefetched();
      this.noteRead(chunk);
    }
    return slot;
  }

  /** Makes a range of a chunk plaintext, and answers where it lies in the memory's bytes. */
  open(slot: number, inChunk: number, lengthBytes: number): number {
    this.#plainPages.open(slot, inChunk, lengthBytes);
    this.#memory.touch(slot, this.#counters.nowMs);
    this.#counters.used('memory');
    return this.#memory.offsetOf(slot) + inChunk;
  }

  /** Says that a chunk is being fetched ahead, to count it when it is read. */
  expect(chunk: number): void {
    this.#ahead ??= new Uint8Array(this.chunkCount);
    this.#ahead[chunk] = 1;
    this.#counters.prefetched();
  }

  /** Says that a chunk is read for the first time. */
  noteRead(chunk: number): void {
    if (chunk > 0 && this.#slots[chunk - 1]! >= 0) this.#streamed = chunk;
  }

  /**
   * A chunk that was just read for the first time after the one before it, if any: what is read in
   * order will go on with the next. Asking forgets it.
   */
  takeStreamed(): number {
    const chunk = this.#streamed;
    this.#streamed = -1;
    return chunk;
  }

  /** Overwrites the disk's keys. */
  wipe(): void {
    this.#manifest.wipe();
  }
}
