import { zstdDecompressSync } from 'node:zlib';
import { assert, CHUNK_SIZE_BYTES, limits, PAGE_SIZE_BYTES, SluiceError } from '../base/mod.ts';
import { type Manifest, openRange } from '../seal/mod.ts';
import type { ChunkMemory } from './chunk-memory.ts';

/** Pages that are compressed together: few enough for a read that waits for one of them. */
export const FRAME_PAGES = 64;
const FRAME_BYTES = FRAME_PAGES * PAGE_SIZE_BYTES;

/** The sealed JSON of a pack's index; docs/design/start-pack.md. */
export interface PackMetadata {
  readonly version: 1;
  /** Pages of the disk in the order in which starts touch them: first page, how many. */
  readonly runs: readonly (readonly [page: number, pages: number])[];
  /** Bytes of each zstd frame (RFC 8878) of `FRAME_PAGES` pages, one after the other. */
  readonly frames: readonly number[];
}

interface Frame {
  readonly offset: number;
  readonly bytes: number;
  readonly pages: number;
  plain: Buffer | undefined;
  /** Pages that were not read yet. */
  left: number;
}

/**
 * The pages that starts of one disk touch, in a few chunks instead of the many that they lie in.
 * A frame is opened when a page of it is first read, and dropped when all of them were: the kernel
 * has the pages then. One thread uses it.
 */
export class StartPack {
  readonly #manifest: Manifest;
  readonly #memory: ChunkMemory;
  /** Place in the pack, by page of the disk. */
  readonly #places = new Map<number, number>();
  readonly #frames: Frame[] = [];
  readonly #read: Uint8Array;
  readonly #allRead: Frame[] = [];
  #ended = false;

  /** Throws `MANIFEST_MALFORMED` for what is not a pack of this disk. */
  constructor(manifest: Manifest, memory: ChunkMemory, diskPages: number) {
    this.#manifest = manifest;
    this.#memory = memory;
    const { runs, frames } = metadataOf(manifest);
    for (const [page, pages] of runs) {
      if (page < 0 || pages < 1 || page + pages > diskPages) throw malformed(manifest, 'runs');
      if (this.#places.size + pages > limits.device.packPages) throw malformed(manifest, 'size');
      for (let each = page; each < page + pages; each++) this.#places.set(each, this.#places.size);
    }
    this.#read = new Uint8Array(this.#places.size);
    let offset = 0;
    let pagesLeft = this.#places.size;
    for (const bytes of frames) {
      if (bytes < 1 || bytes > CHUNK_SIZE_BYTES) throw malformed(manifest, 'frames');
      const pages = Math.min(FRAME_PAGES, pagesLeft);
      this.#frames.push({ offset, bytes, pages, plain: undefined, left: pages });
      offset += bytes;
      pagesLeft -= pages;
    }
    const fits = pagesLeft === 0 && (this.#frames.at(-1)?.pages ?? 1) > 0;
    if (!fits || Math.ceil(offset / CHUNK_SIZE_BYTES) !== manifest.chunkCount) {
      throw malformed(manifest, 'frames');
    }
  }

  get chunkCount(): number {
    return this.#manifest.chunkCount;
  }

  chunkName(chunk: number): string {
    const name = this.#manifest.chunkName(chunk);
    assert(name !== undefined, 'a pack has no zero chunks');
    return name;
  }

  /** Has it all pages of this range of the disk, and is any of them worth asking it for? */
  covers(start: number, end: number): boolean {
    if (this.#ended) return false;
    const endPage = Math.ceil(end / PAGE_SIZE_BYTES);
    for (let page = Math.floor(start / PAGE_SIZE_BYTES); page < endPage; page++) {
      const place = this.#places.get(page);
      if (place === undefined || this.#frameOf(place).left === 0) return false;
    }
    return true;
  }

  /**
   * Opens what a covered range needs, and names the chunks that lack. False when a frame does not
   * open: the pack is of no use then, and the disk's own chunks are.
   */
  prepare(start: number, end: number, lacks: (chunk: number) => void): boolean {
    const endPage = Math.ceil(end / PAGE_SIZE_BYTES);
    for (let page = Math.floor(start / PAGE_SIZE_BYTES); page < endPage; page++) {
      const frame = this.#frameOf(this.#placeOf(page));
      if (frame.plain || this.#lacksChunks(frame, lacks)) continue;
      frame.plain = this.#open(frame);
      if (frame.plain) continue;
      this.end();
      return false;
    }
    return true;
  }

  /** Lets go of the frames whose pages were all read; not while a range is prepared. */
  dropRead(): void {
    for (let frame = this.#allRead.pop(); frame; frame = this.#allRead.pop()) {
      frame.plain = undefined;
    }
  }

  /** Copies a range that was prepared. */
  copy(start: number, end: number, into: Buffer, at: number): void {
    for (let next = start; next < end; ) {
      const page = Math.floor(next / PAGE_SIZE_BYTES);
      const stop = Math.min(end, (page + 1) * PAGE_SIZE_BYTES);
      const place = this.#placeOf(page);
      const frame = this.#frameOf(place);
      assert(frame.plain !== undefined, 'a page of a pack is prepared before it is read');
      const from = (place % FRAME_PAGES) * PAGE_SIZE_BYTES + next - page * PAGE_SIZE_BYTES;
      frame.plain.copy(into, at + next - start, from, from + stop - next);
      this.#note(place, frame);
      next = stop;
    }
  }

  /** The start is over, or the pack of no use: it holds nothing from here on. */
  end(): void {
    this.#ended = true;
    for (const frame of this.#frames) frame.plain = undefined;
  }

  wipe(): void {
    this.end();
    this.#manifest.wipe();
  }

  #note(place: number, frame: Frame): void {
    if (this.#read[place] === 1) return;
    this.#read[place] = 1;
    frame.left--;
    if (frame.left === 0) this.#allRead.push(frame);
  }

  #placeOf(page: number): number {
    const place = this.#places.get(page);
    assert(place !== undefined, `page ${page} is in the pack`);
    return place;
  }

  #frameOf(place: number): Frame {
    return this.#frames[Math.floor(place / FRAME_PAGES)]!;
  }

  #lacksChunks(frame: Frame, lacks: (chunk: number) => void): boolean {
    const last = Math.floor((frame.offset + frame.bytes - 1) / CHUNK_SIZE_BYTES);
    let some = false;
    for (let chunk = Math.floor(frame.offset / CHUNK_SIZE_BYTES); chunk <= last; chunk++) {
      const slot = this.#memory.find(this.chunkName(chunk));
      if (slot >= 0 && this.#memory.isReady(slot)) continue;
      some = true;
      lacks(chunk);
    }
    return some;
  }

  /** The frame's pages; undefined when what is sealed in the chunks is not a frame of that size. */
  #open(frame: Frame): Buffer | undefined {
    const end = frame.offset + frame.bytes;
    const parts: Buffer[] = [];
    for (let next = frame.offset; next < end; ) {
      const chunk = Math.floor(next / CHUNK_SIZE_BYTES);
      const stop = Math.min(end, (chunk + 1) * CHUNK_SIZE_BYTES);
      const at = this.#memory.offsetOf(this.#memory.find(this.chunkName(chunk)));
      const ciphertext = this.#memory.bytes.subarray(at, at + CHUNK_SIZE_BYTES);
      const inChunk = next - chunk * CHUNK_SIZE_BYTES;
      parts.push(openRange(this.#manifest.chunkKey(chunk), ciphertext, inChunk, stop - next));
      next = stop;
    }
    try {
      const packed = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      const plain = zstdDecompressSync(packed, { maxOutputLength: FRAME_BYTES });
      return plain.length === frame.pages * PAGE_SIZE_BYTES ? plain : undefined;
    } catch {
      return undefined;
    }
  }
}

function metadataOf(manifest: Manifest): PackMetadata {
  const { version, runs, frames } = manifest.metadata as Partial<PackMetadata>;
  const whole = (value: unknown) => Number.isSafeInteger(value);
  const isRun = (run: unknown) => Array.isArray(run) && run.length === 2 && run.every(whole);
  if (manifest.kind !== 'pack' || version !== 1) throw malformed(manifest, 'kind');
  if (!Array.isArray(runs) || !runs.every(isRun)) throw malformed(manifest, 'runs');
  if (!Array.isArray(frames) || !frames.every(whole)) throw malformed(manifest, 'frames');
  return { version, runs, frames };
}

function malformed({ manifestId }: Manifest, what: string): SluiceError {
  return new SluiceError('MANIFEST_MALFORMED', `${manifestId}: wrong ${what} of a start pack`, {
    data: { manifestId, what },
  });
}
