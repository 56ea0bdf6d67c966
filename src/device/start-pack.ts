import { assert, CHUNK_SIZE_BYTES, limits, PAGE_SIZE_BYTES, SluiceError } from '../base/mod.ts';
import type { Manifest } from '../seal/mod.ts';
import type { ChunkMemory } from './chunk-memory.ts';
import type { PackedFrame, PackedPart } from './messages.ts';

/** Pages that are compressed together: few enough for a read that waits for one of them. */
export const FRAME_PAGES = 64;
/** Frames that are opened together: as many as fill a slot of the memory tier. */
const BLOCK_FRAMES = CHUNK_SIZE_BYTES / PAGE_SIZE_BYTES / FRAME_PAGES;
const BLOCK_PAGES = BLOCK_FRAMES * FRAME_PAGES;

/** The sealed JSON of a pack's index; docs/design/start-pack.md. */
export interface PackMetadata {
  readonly version: 1;
  /** Pages of the disk in the order in which starts touch them: first page, how many. */
  readonly runs: readonly (readonly [page: number, pages: number])[];
  /** Bytes of each zstd frame (RFC 8878) of `FRAME_PAGES` pages, one after the other. */
  readonly frames: readonly number[];
}

interface Run {
  readonly page: number;
  readonly endPage: number;
  /** Of its first page, in the pack's order. */
  readonly place: number;
}

interface Frame {
  readonly offset: number;
  readonly bytes: number;
  readonly pages: number;
}

export interface StartPackOptions {
  readonly manifest: Manifest;
  /** Tells this pack's blocks from all others' in the memory tier: a hash of its index. */
  readonly contentId: string;
  readonly memory: ChunkMemory;
  readonly diskPages: number;
}

/**
 * The pages that starts of one disk touch, in a few chunks instead of the many that they lie in. It
 * is read in blocks, which another thread opens into slots of the memory tier: this one only copies
 * out of them. One thread uses it.
 */
export class StartPack {
  readonly #manifest: Manifest;
  readonly #memory: ChunkMemory;
  readonly #contentId: string;
  /** By page of the disk. */
  readonly #runs: readonly Run[];
  readonly #frames: readonly Frame[];
  readonly #blocks = new Map<string, number>();

  /** Throws `MANIFEST_MALFORMED` for what is not a pack of this disk. */
  constructor({ manifest, contentId, memory, diskPages }: StartPackOptions) {
    this.#manifest = manifest;
    this.#memory = memory;
    this.#contentId = contentId;
    const metadata = metadataOf(manifest);
    const [runs, pages] = runsOf(manifest, metadata, diskPages);
    this.#runs = runs;
    this.#frames = framesOf(manifest, metadata, pages);
    const blocks = Math.ceil(this.#frames.length / BLOCK_FRAMES);
    for (let block = 0; block < blocks; block++) this.#blocks.set(this.blockName(block), block);
  }

  get blockCount(): number {
    return this.#blocks.size;
  }

  /** What the memory tier calls a block; no chunk is called so. */
  blockName(block: number): string {
    return `pack/${this.#contentId}/${block}`;
  }

  has(name: string): boolean {
    return this.#blocks.has(name);
  }

  /** What is to be opened into the slot of this name, if that is a block. */
  framesOf(name: string): readonly PackedFrame[] | undefined {
    const block = this.#blocks.get(name);
    return block === undefined
      ? undefined
      : this.#framesIn(block).map((each) => this.#packed(each));
  }

  /** Chunks that a block needs and the one before it does not. */
  chunksFrom(name: string): number {
    const block = this.#blocks.get(name) ?? 0;
    return this.#endChunk(block) - (block > 0 ? this.#endChunk(block - 1) : 0);
  }

  /** Has it all pages of this range of the disk, in so few blocks that they are worth asking for? */
  covers(start: number, end: number): boolean {
    const endPage = Math.ceil(end / PAGE_SIZE_BYTES);
    let [blocks, last] = [0, -1];
    for (let page = Math.floor(start / PAGE_SIZE_BYTES); page < endPage; ) {
      const run = this.#runAt(page);
      if (!run) return false;
      const stop = Math.min(endPage, run.endPage);
      const first = Math.floor((run.place + page - run.page) / BLOCK_PAGES);
      const final = Math.floor((run.place + stop - 1 - run.page) / BLOCK_PAGES);
      blocks += final - first + (first === last ? 0 : 1);
      last = final;
      page = stop;
    }
    return blocks <= limits.device.packBlocksPerRead;
  }

  /** Names the blocks of a covered range that are not in memory. */
  need(start: number, end: number, lacks: (block: number) => void): void {
    this.#each(start, end, (block) => {
      if (this.#slotOf(block) < 0) lacks(block);
    });
  }

  /** Copies a covered range that lacks no block. */
  copy(start: number, end: number, into: Buffer, at: number): void {
    this.#each(start, end, (block, inBlock, next, bytes) => {
      const slot = this.#slotOf(block);
      assert(slot >= 0, 'a block of a pack is in memory when it is read');
      const from = this.#memory.offsetOf(slot) + inBlock;
      this.#memory.bytes.copy(into, at + next - start, from, from + bytes);
    });
  }

  /** Where in the memory's bytes a range lies in one piece, or -1. */
  locate(start: number, end: number): number {
    const page = Math.floor(start / PAGE_SIZE_BYTES);
    const run = this.#runAt(page);
    if (!run || end > run.endPage * PAGE_SIZE_BYTES) return -1;
    const place = run.place + page - run.page;
    const inBlock = (place % BLOCK_PAGES) * PAGE_SIZE_BYTES + start - page * PAGE_SIZE_BYTES;
    if (inBlock + end - start > CHUNK_SIZE_BYTES) return -1;
    const slot = this.#slotOf(Math.floor(place / BLOCK_PAGES));
    return slot < 0 ? -1 : this.#memory.offsetOf(slot) + inBlock;
  }

  wipe(): void {
    this.#manifest.wipe();
  }

  /** Calls for each piece of a covered range that lies in one block and one run. */
  #each(
    start: number,
    end: number,
    piece: (block: number, inBlock: number, next: number, bytes: number) => void,
  ): void {
    for (let next = start; next < end; ) {
      const page = Math.floor(next / PAGE_SIZE_BYTES);
      const run = this.#runAt(page);
      assert(run !== undefined, `page ${page} is in the pack`);
      const place = run.place + page - run.page;
      const block = Math.floor(place / BLOCK_PAGES);
      const endPage = Math.min(run.endPage, page + (block + 1) * BLOCK_PAGES - place);
      const stop = Math.min(end, endPage * PAGE_SIZE_BYTES);
      const inPage = next - page * PAGE_SIZE_BYTES;
      piece(block, (place % BLOCK_PAGES) * PAGE_SIZE_BYTES + inPage, next, stop - next);
      next = stop;
    }
  }

  #runAt(page: number): Run | undefined {
    let [low, high] = [0, this.#runs.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#runs[middle]!.endPage <= page) low = middle + 1;
      else high = middle;
    }
    const run = this.#runs[low];
    return run && run.page <= page ? run : undefined;
  }

  #slotOf(block: number): number {
    const slot = this.#memory.find(this.blockName(block));
    return slot >= 0 && this.#memory.isReady(slot) ? slot : -1;
  }

  #framesIn(block: number): readonly Frame[] {
    return this.#frames.slice(block * BLOCK_FRAMES, (block + 1) * BLOCK_FRAMES);
  }

  #endChunk(block: number): number {
    const last = this.#framesIn(block).at(-1)!;
    return Math.ceil((last.offset + last.bytes) / CHUNK_SIZE_BYTES);
  }

  #packed({ offset, bytes, pages }: Frame): PackedFrame {
    const end = offset + bytes;
    const parts: PackedPart[] = [];
    for (let next = offset; next < end; ) {
      const chunk = Math.floor(next / CHUNK_SIZE_BYTES);
      const stop = Math.min(end, (chunk + 1) * CHUNK_SIZE_BYTES);
      const name = this.#manifest.chunkName(chunk);
      assert(name !== undefined, 'a pack has no zero chunks');
      const at = next - chunk * CHUNK_SIZE_BYTES;
      // A copy with a memory of its own: it goes to another thread, which overwrites it.
      const key = new Uint8Array(this.#manifest.chunkKey(chunk));
      parts.push({ name, key, at, bytes: stop - next });
      next = stop;
    }
    return { parts, plainBytes: pages * PAGE_SIZE_BYTES };
  }
}

/** The runs by page, and how many pages they have. */
function runsOf(manifest: Manifest, { runs }: PackMetadata, diskPages: number): [Run[], number] {
  let places = 0;
  const placed = runs.map(([page, pages]): Run => {
    if (page < 0 || pages < 1 || page + pages > diskPages) throw malformed(manifest, 'runs');
    if (places + pages > limits.device.packPages) throw malformed(manifest, 'size');
    const run = { page, endPage: page + pages, place: places };
    places += pages;
    return run;
  });
  placed.sort((a, b) => a.page - b.page);
  const overlap = placed.some(({ page }, index) => page < (placed[index - 1]?.endPage ?? 0));
  if (overlap) throw malformed(manifest, 'runs');
  return [placed, places];
}

function framesOf(manifest: Manifest, { frames }: PackMetadata, pagesAll: number): Frame[] {
  let [offset, pagesLeft] = [0, pagesAll];
  const placed = frames.map((bytes): Frame => {
    if (bytes < 1 || bytes > CHUNK_SIZE_BYTES || pagesLeft === 0) {
      throw malformed(manifest, 'frames');
    }
    const frame = { offset, bytes, pages: Math.min(FRAME_PAGES, pagesLeft) };
    offset += bytes;
    pagesLeft -= frame.pages;
    return frame;
  });
  if (pagesLeft !== 0 || Math.ceil(offset / CHUNK_SIZE_BYTES) !== manifest.chunkCount) {
    throw malformed(manifest, 'frames');
  }
  return placed;
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
