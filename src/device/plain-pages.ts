import { CHUNK_SIZE_BYTES, PAGE_SIZE_BYTES, SluiceError } from '../base/mod.ts';
import { openRange } from '../seal/mod.ts';
import type { ChunkMemory } from './chunk-memory.ts';

const PAGES = CHUNK_SIZE_BYTES / PAGE_SIZE_BYTES;
const WORDS = PAGES / 32;
const KEY_BYTES = 32;

/**
 * Decrypts chunks in the memory tier where they lie, page by page, at the first read of each: a
 * 4 KiB read decrypts 4 KiB, and no page is decrypted twice. The memory belongs to one account's
 * agent, whose kernel page cache holds the same plaintext.
 */
export class PlainPages {
  readonly #memory: ChunkMemory;
  readonly #generations: Uint32Array;
  /** 128 bits a slot: page is plaintext. */
  readonly #plain: Uint32Array;
  readonly #keys: Buffer;

  constructor(memory: ChunkMemory) {
    this.#memory = memory;
    this.#generations = new Uint32Array(memory.slotCount).fill(0xffffffff);
    this.#plain = new Uint32Array(memory.slotCount * WORDS);
    this.#keys = Buffer.alloc(memory.slotCount * KEY_BYTES);
  }

  /**
   * Says which key opens the chunk in `slot`. Equal ciphertext has equal keys, since both follow
   * from the plaintext, so a manifest that names another one is not a flattener's work.
   */
  bind(slot: number, key: Buffer, name: string): void {
    const at = slot * KEY_BYTES;
    if (this.#generations[slot] === this.#memory.generation(slot)) {
      if (this.#keys.compare(key, 0, KEY_BYTES, at, at + KEY_BYTES) === 0) return;
      throw new SluiceError('MANIFEST_TAMPERED', `${name}: two keys are given for one chunk`, {
        data: { name },
      });
    }
    this.#generations[slot] = this.#memory.generation(slot);
    this.#plain.fill(0, slot * WORDS, (slot + 1) * WORDS);
    key.copy(this.#keys, at);
  }

  /** Makes a range of a bound slot's chunk readable. Offsets count from the chunk's start. */
  open(slot: number, offsetBytes: number, lengthBytes: number): void {
    const last = Math.floor((offsetBytes + lengthBytes - 1) / PAGE_SIZE_BYTES);
    let page = Math.floor(offsetBytes / PAGE_SIZE_BYTES);
    while (page <= last) {
      if (this.#isPlain(slot, page)) {
        page++;
        continue;
      }
      const first = page;
      while (page <= last && !this.#isPlain(slot, page)) this.#markPlain(slot, page++);
      this.#decrypt(slot, first * PAGE_SIZE_BYTES, (page - first) * PAGE_SIZE_BYTES);
    }
  }

  #isPlain(slot: number, page: number): boolean {
    return (this.#plain[slot * WORDS + (page >>> 5)]! & (1 << (page & 31))) !== 0;
  }

  #markPlain(slot: number, page: number): void {
    this.#plain[slot * WORDS + (page >>> 5)]! |= 1 << (page & 31);
  }

  #decrypt(slot: number, offsetBytes: number, lengthBytes: number): void {
    const start = this.#memory.offsetOf(slot);
    const chunk = this.#memory.bytes.subarray(start, start + CHUNK_SIZE_BYTES);
    const key = this.#keys.subarray(slot * KEY_BYTES, (slot + 1) * KEY_BYTES);
    openRange(key, chunk, offsetBytes, lengthBytes, chunk.subarray(offsetBytes));
  }
}
