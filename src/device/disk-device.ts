import { assert, CHUNK_SIZE_BYTES, limits, PAGE_SIZE_BYTES, SluiceError } from '../base/mod.ts';
import type { Manifest } from '../seal/mod.ts';
import type { ChunkMemory } from './chunk-memory.ts';
import type { DeviceCounters } from './device-counters.ts';
import type { Overlay } from './overlay.ts';
import type { PlainPages } from './plain-pages.ts';

const UNKNOWN = -1;
const ZERO_CHUNK = -2;

/** A run of bytes of one kind; a hole has nothing stored and reads as zeros. */
export interface Extent {
  readonly lengthBytes: number;
  readonly hole: boolean;
}

export interface DiskDeviceOptions {
  readonly manifest: Manifest;
  readonly memory: ChunkMemory;
  readonly plainPages: PlainPages;
  /** Without one, the device is read-only. */
  readonly overlay?: Overlay;
  readonly counters: DeviceCounters;
}

/**
 * The block logic of one device: each page comes from the overlay, a zero chunk, or a chunk of the
 * memory tier. It never waits: a call that needs chunks which are not in memory changes nothing,
 * lists them in `missing`, and is made again when they are. One thread uses it.
 */
export class DiskDevice {
  readonly sizeBytes: number;
  readonly writable: boolean;
  /** Chunk indexes that the last call lacked: the first `missingCount` of it. */
  readonly missing: Uint32Array;
  missingCount = 0;
  readonly #manifest: Manifest;
  readonly #memory: ChunkMemory;
  readonly #plainPages: PlainPages;
  readonly #overlay: Overlay | undefined;
  readonly #counters: DeviceCounters;
  /** Where each chunk was last found, believed only while the slot's generation is the same. */
  readonly #slots: Int32Array;
  readonly #generations: Uint32Array;
  /** Chunks that were fetched ahead and not read yet. */
  #ahead: Uint8Array | undefined;
  #streamed = -1;
  readonly #page = Buffer.alloc(PAGE_SIZE_BYTES);

  constructor(options: DiskDeviceOptions) {
    const { manifest } = options;
    if (manifest.chunkSizeBytes !== CHUNK_SIZE_BYTES || manifest.diskBytes % PAGE_SIZE_BYTES) {
      throw new SluiceError(
        'MANIFEST_MALFORMED',
        `${manifest.manifestId}: a device takes chunks of ${CHUNK_SIZE_BYTES} bytes, whole pages`,
      );
    }
    this.#manifest = manifest;
    this.#memory = options.memory;
    this.#plainPages = options.plainPages;
    this.#overlay = options.overlay;
    this.#counters = options.counters;
    this.sizeBytes = manifest.diskBytes;
    this.writable = options.overlay !== undefined;
    this.missing = new Uint32Array(limits.device.fuseMaxReadBytes / CHUNK_SIZE_BYTES + 1);
    this.#slots = new Int32Array(manifest.chunkCount).fill(UNKNOWN);
    this.#generations = new Uint32Array(manifest.chunkCount);
    for (let index = 0; index < manifest.chunkCount; index++) {
      if (manifest.chunkName(index) === undefined) this.#slots[index] = ZERO_CHUNK;
    }
  }

  chunkName(index: number): string {
    const name = this.#manifest.chunkName(index);
    assert(name !== undefined, `chunk ${index} is not a zero chunk`);
    return name;
  }

  get chunkCount(): number {
    return this.#slots.length;
  }

  /** Says that a chunk is being fetched ahead, to count it when it is read. */
  expect(chunk: number): void {
    this.#ahead ??= new Uint8Array(this.chunkCount);
    this.#ahead[chunk] = 1;
    this.#counters.prefetched();
  }

  /**
   * A chunk that was just read for the first time after another right before it, if any: what is
   * read in order will go on with the next. Asking forgets it.
   */
  takeStreamed(): number {
    const chunk = this.#streamed;
    this.#streamed = -1;
    return chunk;
  }

  /** A zero chunk: nothing is stored of it. */
  isHole(chunk: number): boolean {
    return this.#slots[chunk] === ZERO_CHUNK;
  }

  /**
   * Where in the memory's bytes a range lies as it is, so that it need not be copied to be sent:
   * when it is of one chunk that is in memory, with nothing of the overlay. -1 otherwise.
   */
  locate(offset: number, length: number): number {
    const chunk = Math.floor(offset / CHUNK_SIZE_BYTES);
    const inChunk = offset - chunk * CHUNK_SIZE_BYTES;
    if (inChunk + length > CHUNK_SIZE_BYTES || this.#overlay?.touched) return -1;
    if (this.#slots[chunk] === ZERO_CHUNK) return -1;
    const slot = this.#slotOf(chunk);
    if (slot < 0) return -1;
    this.#useSlot(slot, inChunk, length);
    return this.#memory.offsetOf(slot) + inChunk;
  }

  /** What is in a range, front to back, without gaps; the same kind never twice in a row. */
  extents(offset: number, length: number): readonly Extent[] {
    const extents: { lengthBytes: number; hole: boolean }[] = [];
    const end = offset + length;
    let next = offset;
    while (next < end) {
      const page = Math.floor(next / PAGE_SIZE_BYTES);
      const wholeChunk = !this.#overlay?.touched;
      const unit = wholeChunk ? CHUNK_SIZE_BYTES : PAGE_SIZE_BYTES;
      const stop = Math.min(end, (Math.floor(next / unit) + 1) * unit);
      const hole = this.#isHolePage(page);
      const last = extents.at(-1);
      if (last?.hole === hole) last.lengthBytes += stop - next;
      else extents.push({ lengthBytes: stop - next, hole });
      next = stop;
    }
    return extents;
  }

  /** Reads a range inside the device into `into`; true when it is there, false when chunks lack. */
  read(offset: number, length: number, into: Buffer, at: number): boolean {
    this.#need(offset, length);
    if (this.missingCount > 0) return false;
    const end = offset + length;
    let next = offset;
    while (next < end) {
      const chunkEnd = Math.min(end, (Math.floor(next / CHUNK_SIZE_BYTES) + 1) * CHUNK_SIZE_BYTES);
      this.#readInChunk(next, chunkEnd, into, at + next - offset);
      next = chunkEnd;
    }
    return true;
  }

  /**
   * Writes a range; pages that it covers in part are read first, so chunks may lack: false.
   * Throws `DEVICE_FULL` when the overlay's limit is reached, and has then written nothing.
   */
  write(offset: number, length: number, from: Buffer, at: number): boolean {
    const overlay = this.#writableOverlay();
    const firstPage = Math.floor(offset / PAGE_SIZE_BYTES);
    const endPage = Math.ceil((offset + length) / PAGE_SIZE_BYTES);
    const head = offset - firstPage * PAGE_SIZE_BYTES;
    const tail = endPage * PAGE_SIZE_BYTES - (offset + length);
    if (head === 0 && tail === 0) {
      overlay.write(firstPage, endPage - firstPage, from, at);
    } else {
      const bytes = (endPage - firstPage) * PAGE_SIZE_BYTES;
      const pages = Buffer.allocUnsafe(bytes);
      if (head > 0 || length < PAGE_SIZE_BYTES) {
        if (!this.#readPage(firstPage, pages, 0)) return false;
      }
      if (tail > 0 && endPage - 1 > firstPage) {
        if (!this.#readPage(endPage - 1, pages, bytes - PAGE_SIZE_BYTES)) return false;
      }
      from.copy(pages, head, at, at + length);
      this.#writeMany(overlay, firstPage, pages);
    }
    return true;
  }

  /** Makes a range zero; pages that it covers in part are rewritten. As `write` otherwise. */
  discard(offset: number, length: number): boolean {
    const overlay = this.#writableOverlay();
    const end = offset + length;
    const firstWhole = Math.ceil(offset / PAGE_SIZE_BYTES);
    const endWhole = Math.floor(end / PAGE_SIZE_BYTES);
    if (firstWhole > endWhole) return this.#zeroPart(offset, end);
    const headEnd = Math.min(end, firstWhole * PAGE_SIZE_BYTES);
    if (offset < headEnd && !this.#zeroPart(offset, headEnd)) return false;
    const tailStart = endWhole * PAGE_SIZE_BYTES;
    if (tailStart < end && !this.#zeroPart(tailStart, end)) return false;
    overlay.discard(firstWhole, endWhole - firstWhole);
    return true;
  }

  close(): void {
    this.#overlay?.close();
    this.#manifest.wipe();
  }

  #isHolePage(page: number): boolean {
    if (this.#overlay && !this.#overlay.isBase(page)) return this.#overlay.isZero(page);
    return this.isHole(Math.floor((page * PAGE_SIZE_BYTES) / CHUNK_SIZE_BYTES));
  }

  #writableOverlay(): Overlay {
    assert(this.#overlay !== undefined, 'only a writable device is written to');
    this.missingCount = 0;
    return this.#overlay;
  }

  #zeroPart(start: number, end: number): boolean {
    const page = Math.floor(start / PAGE_SIZE_BYTES);
    if (!this.#readPage(page, this.#page, 0)) return false;
    this.#page.fill(0, start - page * PAGE_SIZE_BYTES, end - page * PAGE_SIZE_BYTES);
    this.#overlay!.write(page, 1, this.#page, 0);
    return true;
  }

  #readPage(page: number, into: Buffer, at: number): boolean {
    return this.read(page * PAGE_SIZE_BYTES, PAGE_SIZE_BYTES, into, at);
  }

  /** A whole number of pages, which after rounding outwards may pass the overlay's one-write size. */
  #writeMany(overlay: Overlay, firstPage: number, pages: Buffer): void {
    const pageCount = pages.length / PAGE_SIZE_BYTES;
    const most = limits.device.fuseMaxWriteBytes / PAGE_SIZE_BYTES;
    for (let done = 0; done < pageCount; done += most) {
      const count = Math.min(most, pageCount - done);
      overlay.write(firstPage + done, count, pages, done * PAGE_SIZE_BYTES);
    }
  }

  /** Lists the chunks of a range that are needed and not in memory. */
  #need(offset: number, length: number): void {
    this.missingCount = 0;
    const end = offset + length;
    const lastChunk = Math.floor((end - 1) / CHUNK_SIZE_BYTES);
    for (let chunk = Math.floor(offset / CHUNK_SIZE_BYTES); chunk <= lastChunk; chunk++) {
      if (this.#slots[chunk] === ZERO_CHUNK || this.#slotOf(chunk) >= 0) continue;
      const start = Math.max(offset, chunk * CHUNK_SIZE_BYTES);
      const stop = Math.min(end, (chunk + 1) * CHUNK_SIZE_BYTES);
      if (this.#overlay?.touched && !this.#hasBasePage(start, stop)) continue;
      this.missing[this.missingCount++] = chunk;
      this.#noteStream(chunk);
    }
  }

  #noteStream(chunk: number): void {
    if (chunk > 0 && this.#slots[chunk - 1]! >= 0) this.#streamed = chunk;
  }

  #hasBasePage(start: number, stop: number): boolean {
    const endPage = Math.ceil(stop / PAGE_SIZE_BYTES);
    for (let page = Math.floor(start / PAGE_SIZE_BYTES); page < endPage; page++) {
      if (this.#overlay!.isBase(page)) return true;
    }
    return false;
  }

  /** The slot that holds the chunk ready to read, or -1. */
  #slotOf(chunk: number): number {
    const known = this.#slots[chunk]!;
    if (known >= 0 && this.#memory.generation(known) === this.#generations[chunk]) return known;
    const name = this.chunkName(chunk);
    const slot = this.#memory.find(name);
    if (slot < 0 || !this.#memory.isReady(slot)) return -1;
    this.#plainPages.bind(slot, this.#manifest.chunkKey(chunk), name);
    this.#slots[chunk] = slot;
    this.#generations[chunk] = this.#memory.generation(slot);
    if (this.#ahead?.[chunk]) {
      this.#ahead[chunk] = 0;
      this.#counters.usedPrefetched();
      this.#noteStream(chunk);
    }
    return slot;
  }

  /** Reads what lies in one chunk, all of whose base pages are in memory. */
  #readInChunk(start: number, end: number, into: Buffer, at: number): void {
    const overlay = this.#overlay;
    if (!overlay?.touched) {
      this.#readBase(start, end, into, at);
      return;
    }
    const endPage = Math.ceil(end / PAGE_SIZE_BYTES);
    let next = start;
    while (next < end) {
      const page = Math.floor(next / PAGE_SIZE_BYTES);
      const run = overlay.runOf(page, endPage);
      const stop = Math.min(end, (page + run) * PAGE_SIZE_BYTES);
      if (overlay.isBase(page)) this.#readBase(next, stop, into, at + next - start);
      else this.#readOverlay(overlay, next, stop, into, at + next - start);
      next = stop;
    }
  }

  #readOverlay(overlay: Overlay, start: number, end: number, into: Buffer, at: number): void {
    const firstPage = Math.floor(start / PAGE_SIZE_BYTES);
    const pageCount = Math.ceil(end / PAGE_SIZE_BYTES) - firstPage;
    this.#counters.used('overlay');
    if (start % PAGE_SIZE_BYTES === 0 && end % PAGE_SIZE_BYTES === 0) {
      overlay.read(firstPage, pageCount, into, at);
      return;
    }
    const pages = Buffer.allocUnsafe(pageCount * PAGE_SIZE_BYTES);
    overlay.read(firstPage, pageCount, pages, 0);
    const skip = start - firstPage * PAGE_SIZE_BYTES;
    pages.copy(into, at, skip, skip + end - start);
  }

  #readBase(start: number, end: number, into: Buffer, at: number): void {
    const chunk = Math.floor(start / CHUNK_SIZE_BYTES);
    const slot = this.#slots[chunk]!;
    if (slot === ZERO_CHUNK) {
      into.fill(0, at, at + end - start);
      this.#counters.used('zero');
      return;
    }
    const inChunk = start - chunk * CHUNK_SIZE_BYTES;
    this.#useSlot(slot, inChunk, end - start);
    const from = this.#memory.offsetOf(slot) + inChunk;
    this.#memory.bytes.copy(into, at, from, from + end - start);
  }

  #useSlot(slot: number, inChunk: number, length: number): void {
    this.#plainPages.open(slot, inChunk, length);
    this.#memory.touch(slot, this.#counters.nowMs);
    this.#counters.used('memory');
  }
}
