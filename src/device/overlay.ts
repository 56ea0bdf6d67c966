import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { assert, limits, PAGE_SIZE_BYTES, type Random, SluiceError } from '../base/mod.ts';

const CIPHER = 'aes-256-xts';
const XTS_KEY_BYTES = 64;
const TWEAK_BYTES = 16;
const BASE = 0;
const ZERO = 0xffffffff;
/** The largest write, and a page more for one that begins and ends amid a page. */
const PAGES_PER_WRITE = limits.device.fuseMaxWriteBytes / PAGE_SIZE_BYTES + 1;

/** Room for one write's ciphertext, shared by all overlays of a thread: one writes at a time. */
export class OverlayScratch {
  readonly bytes = Buffer.alloc(PAGES_PER_WRITE * PAGE_SIZE_BYTES);
  readonly places = new Uint32Array(PAGES_PER_WRITE);
}

export interface OverlayOptions {
  /** Where the file is made; it has a name only while it is being opened. */
  readonly path: string;
  readonly pageCount: number;
  readonly limitBytes: number;
  readonly random: Random;
  readonly scratch: OverlayScratch;
}

/**
 * What was written to a device: pages in a file that grows as they come, encrypted with
 * AES-256-XTS (IEEE 1619; tweak = page number) under a random key that only this object holds.
 * A table says for each page: base, zero (discarded), or its place in the file, so that a
 * discarded page makes room for another. The table's untouched parts cost no memory.
 * The file is unlinked at once: it goes with the process, whatever ends it.
 */
export class Overlay {
  readonly #fd: number;
  readonly #key: KeyObject;
  /** `BASE`, `ZERO`, or place + 1. */
  readonly #places: Uint32Array;
  readonly #limitPages: number;
  readonly #freePlaces: number[] = [];
  readonly #tweak = Buffer.alloc(TWEAK_BYTES);
  readonly #scratch: OverlayScratch;
  #nextPlace = 0;
  #touched = false;

  constructor(options: OverlayOptions) {
    this.#fd = openSync(options.path, 'wx+', 0o600);
    unlinkSync(options.path);
    this.#key = createSecretKey(options.random.bytes(XTS_KEY_BYTES));
    this.#scratch = options.scratch;
    this.#places = new Uint32Array(options.pageCount);
    this.#limitPages = Math.floor(options.limitBytes / PAGE_SIZE_BYTES);
  }

  /** False while every page is base: the common case, checked before any page is. */
  get touched(): boolean {
    return this.#touched;
  }

  get storedPages(): number {
    return this.#nextPlace - this.#freePlaces.length;
  }

  isBase(page: number): boolean {
    return this.#places[page] === BASE;
  }

  /** Was it made zero, and not written since? */
  isZero(page: number): boolean {
    return this.#places[page] === ZERO;
  }

  /** How many pages from `page` on, up to `end`, are as `page` is: all base or all not. */
  runOf(page: number, end: number): number {
    const base = this.isBase(page);
    let next = page + 1;
    while (next < end && this.isBase(next) === base) next++;
    return next - page;
  }

  /** Reads whole pages that are not base. */
  read(page: number, pageCount: number, into: Buffer, at: number): void {
    const end = page + pageCount;
    let next = page;
    while (next < end) {
      const run = this.#placedRun(next, end);
      const start = at + (next - page) * PAGE_SIZE_BYTES;
      if (this.#places[next] === ZERO) into.fill(0, start, start + run * PAGE_SIZE_BYTES);
      else this.#readPlaced(next, run, into, start);
      next += run;
    }
  }

  /** Writes whole pages. Throws `DEVICE_FULL` or `DISK_FULL`; then none of them has changed. */
  write(page: number, pageCount: number, from: Buffer, at: number): void {
    assert(pageCount <= PAGES_PER_WRITE, 'a write fits the scratch buffer');
    this.#needRoom(page, pageCount);
    const { places } = this.#scratch;
    for (let i = 0; i < pageCount; i++) {
      places[i] = this.#isPlaced(page + i) ? this.#places[page + i]! - 1 : this.#takePlace();
      this.#encrypt(page + i, from, at + i * PAGE_SIZE_BYTES, i * PAGE_SIZE_BYTES);
    }
    try {
      this.#writePlaces(places, pageCount);
    } catch (error) {
      for (let i = 0; i < pageCount; i++) {
        if (!this.#isPlaced(page + i)) this.#freePlaces.push(places[i]!);
      }
      throw error;
    }
    for (let i = 0; i < pageCount; i++) this.#places[page + i] = places[i]! + 1;
    this.#touched = true;
  }

  /** Makes whole pages zero and gives their room back. */
  discard(page: number, pageCount: number): void {
    for (let next = page; next < page + pageCount; next++) {
      if (this.#isPlaced(next)) this.#freePlaces.push(this.#places[next]! - 1);
      this.#places[next] = ZERO;
    }
    this.#touched = true;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #isPlaced(page: number): boolean {
    return this.#places[page] !== BASE && this.#places[page] !== ZERO;
  }

  /** Pages from `page` on that lie one behind the other in the file, or are all zero. */
  #placedRun(page: number, end: number): number {
    const first = this.#places[page]!;
    const step = first === ZERO ? 0 : 1;
    let run = 1;
    while (page + run < end && this.#places[page + run] === first + run * step) run++;
    return run;
  }

  #needRoom(page: number, pageCount: number): void {
    let wanted = 0;
    for (let i = 0; i < pageCount; i++) if (!this.#isPlaced(page + i)) wanted++;
    if (this.storedPages + wanted <= this.#limitPages) return;
    const limitBytes = this.#limitPages * PAGE_SIZE_BYTES;
    throw new SluiceError('DEVICE_FULL', `device: its overlay holds its ${limitBytes} bytes`, {
      data: { limitBytes },
    });
  }

  #takePlace(): number {
    return this.#freePlaces.pop() ?? this.#nextPlace++;
  }

  #tweakOf(page: number): Buffer {
    this.#tweak.writeUInt32LE(page, 0);
    return this.#tweak;
  }

  #encrypt(page: number, from: Buffer, at: number, to: number): void {
    const cipher = createCipheriv(CIPHER, this.#key, this.#tweakOf(page));
    cipher.update(from.subarray(at, at + PAGE_SIZE_BYTES)).copy(this.#scratch.bytes, to);
  }

  #readPlaced(page: number, run: number, into: Buffer, at: number): void {
    const place = this.#places[page]! - 1;
    const bytes = run * PAGE_SIZE_BYTES;
    const got = readSync(this.#fd, into, at, bytes, place * PAGE_SIZE_BYTES);
    assert(got === bytes, `the overlay's file has all of its pages (${got} of ${bytes} bytes)`);
    for (let i = 0; i < run; i++) {
      const start = at + i * PAGE_SIZE_BYTES;
      const decipher = createDecipheriv(CIPHER, this.#key, this.#tweakOf(page + i));
      decipher.update(into.subarray(start, start + PAGE_SIZE_BYTES)).copy(into, start);
    }
  }

  #writePlaces(places: Uint32Array, pageCount: number): void {
    let i = 0;
    while (i < pageCount) {
      let run = 1;
      while (i + run < pageCount && places[i + run] === places[i]! + run) run++;
      const bytes = run * PAGE_SIZE_BYTES;
      const at = places[i]! * PAGE_SIZE_BYTES;
      const written = writeSync(this.#fd, this.#scratch.bytes, i * PAGE_SIZE_BYTES, bytes, at);
      if (written < bytes) {
        throw new SluiceError('DISK_FULL', 'device: no room on the disk that holds its overlay');
      }
      i += run;
    }
  }
}
