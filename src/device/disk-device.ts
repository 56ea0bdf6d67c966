import { assert, CHUNK_SIZE_BYTES, limits, PAGE_SIZE_BYTES, SluiceError } from '../base/mod.ts';
import { ChunkMap, type ChunkMapOptions } from './chunk-map.ts';
import type { DeviceCounters } from './device-counters.ts';
import type { Overlay } from './overlay.ts';
import type { StartPack } from './start-pack.ts';

/** A run of bytes of one kind; a hole has nothing stored and reads as zeros. */
export interface Extent {
  readonly lengthBytes: number;
  readonly hole: boolean;
}

export interface DiskDeviceOptions extends ChunkMapOptions {
  /** Without one, the device is read-only. */
  readonly overlay?: Overlay;
  /** What a start reads, asked before the disk's own chunks. */
  readonly pack?: StartPack | undefined;
}

/**
 * The block logic of one device: each page comes from the overlay, a zero chunk, or a chunk of the
 * memory tier. It never waits: a call that needs chunks which are not in memory changes nothing,
 * lists them in `missing`, and is made again when they are. One thread uses it.
 */
export class DiskDevice {
  readonly sizeBytes: number;
  readonly writable: boolean;
  /** What the last call lacked, the first `missingCount`: the pack's blocks count on from the chunks. */
  readonly missing: Uint32Array;
  missingCount = 0;
  readonly chunks: ChunkMap;
  readonly #memoryBytes: Buffer;
  readonly #overlay: Overlay | undefined;
  #pack: StartPack | undefined;
  readonly #counters: DeviceCounters;
  readonly #page = Buffer.alloc(PAGE_SIZE_BYTES);

  /** Throws `MANIFEST_MALFORMED` for a disk that is not of whole pages and 512 KiB chunks. */
  constructor(options: DiskDeviceOptions) {
    const { manifest, memory, counters, overlay, pack } = options;
    if (manifest.diskBytes % PAGE_SIZE_BYTES !== 0) {
      const what = `${manifest.manifestId}: a device has whole pages`;
      throw new SluiceError('MANIFEST_MALFORMED', what);
    }
    this.chunks = new ChunkMap(options);
    this.#memoryBytes = memory.bytes;
    this.#overlay = overlay;
    this.#pack = pack;
    this.#counters = counters;
    this.sizeBytes = manifest.diskBytes;
    this.writable = overlay !== undefined;
    this.missing = new Uint32Array(limits.device.missingChunks);
  }

  /** Chunks of the disk, and blocks of its pack behind them. */
  chunkName(chunk: number): string {
    const { chunkCount } = this.chunks;
    return chunk < chunkCount ? this.chunks.name(chunk) : this.#blockName(chunk - chunkCount);
  }

  isOfPack(name: string): boolean {
    return this.#pack?.has(name) ?? false;
  }

  /** While it has one. */
  get pack(): StartPack | undefined {
    return this.#pack;
  }

  /** Goes on without the pack. */
  forgoPack(): void {
    this.#pack?.wipe();
    this.#pack = undefined;
  }

  /**
   * Where in the memory's bytes a range lies as it is, so that it need not be copied to be sent:
   * when it is of one chunk or block that is in memory, with nothing of the overlay. -1 otherwise.
   */
  locate(offset: number, length: number): number {
    const chunk = Math.floor(offset / CHUNK_SIZE_BYTES);
    const inChunk = offset - chunk * CHUNK_SIZE_BYTES;
    if (inChunk + length > CHUNK_SIZE_BYTES || this.#overlay?.touched) return -1;
    if (this.chunks.isHole(chunk)) return -1;
    const slot = this.chunks.slotOf(chunk);
    if (slot >= 0) return this.chunks.open(slot, inChunk, length);
    const place = this.#pack?.locate(offset, offset + length) ?? -1;
    if (place >= 0) this.#counters.used('memory');
    return place;
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
   * Reads pages of one chunk as they were sealed, without what was written since. As `read`
   * otherwise.
   */
  readSealed(offset: number, length: number, into: Buffer, at: number): boolean {
    const chunk = Math.floor(offset / CHUNK_SIZE_BYTES);
    const inChunk = offset - chunk * CHUNK_SIZE_BYTES;
    assert(inChunk + length <= CHUNK_SIZE_BYTES, 'the range is in one chunk');
    this.missingCount = 0;
    if (this.chunks.isHole(chunk)) {
      into.fill(0, at, at + length);
      return true;
    }
    const slot = this.chunks.slotOf(chunk);
    if (slot < 0) {
      this.missing[this.missingCount++] = chunk;
      return false;
    }
    const from = this.chunks.open(slot, inChunk, length);
    this.#memoryBytes.copy(into, at, from, from + length);
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
      overlay.write(firstPage, endPage - firstPage, pages, 0);
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
    this.forgoPack();
    this.chunks.wipe();
  }

  #isHolePage(page: number): boolean {
    if (this.#overlay && !this.#overlay.isBase(page)) return this.#overlay.isZero(page);
    return this.chunks.isHole(Math.floor((page * PAGE_SIZE_BYTES) / CHUNK_SIZE_BYTES));
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

  /** Lists the chunks of a range that are needed and not in memory. */
  #need(offset: number, length: number): void {
    this.missingCount = 0;
    const end = offset + length;
    const lastChunk = Math.floor((end - 1) / CHUNK_SIZE_BYTES);
    for (let chunk = Math.floor(offset / CHUNK_SIZE_BYTES); chunk <= lastChunk; chunk++) {
      if (this.chunks.isHole(chunk) || this.chunks.slotOf(chunk) >= 0) continue;
      const start = Math.max(offset, chunk * CHUNK_SIZE_BYTES);
      const stop = Math.min(end, (chunk + 1) * CHUNK_SIZE_BYTES);
      if (this.#overlay?.touched && !this.#hasBasePage(start, stop)) continue;
      if (this.#pack?.covers(start, stop)) {
        this.#needPacked(this.#pack, start, stop);
        continue;
      }
      this.missing[this.missingCount++] = chunk;
      this.chunks.noteRead(chunk);
    }
  }

  #needPacked(pack: StartPack, start: number, stop: number): void {
    const { chunkCount } = this.chunks;
    pack.need(start, stop, (block) => {
      this.missing[this.missingCount++] = chunkCount + block;
    });
  }

  #blockName(block: number): string {
    assert(this.#pack !== undefined, 'a block of a pack is asked for while the pack is there');
    return this.#pack.blockName(block);
  }

  #hasBasePage(start: number, stop: number): boolean {
    const endPage = Math.ceil(stop / PAGE_SIZE_BYTES);
    for (let page = Math.floor(start / PAGE_SIZE_BYTES); page < endPage; page++) {
      if (this.#overlay!.isBase(page)) return true;
    }
    return false;
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
    if (this.chunks.isHole(chunk)) {
      into.fill(0, at, at + end - start);
      this.#counters.used('zero');
      return;
    }
    const slot = this.chunks.slotOf(chunk);
    if (slot < 0 && this.#pack) {
      this.#pack.copy(start, end, into, at);
      this.#counters.used('memory');
      return;
    }
    const from = this.chunks.open(slot, start - chunk * CHUNK_SIZE_BYTES, end - start);
    this.#memoryBytes.copy(into, at, from, from + end - start);
  }
}
