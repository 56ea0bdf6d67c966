import { BLOCK_SIZE_BYTES } from './format.ts';

/** One bit a block or an inode, in the order of ext4's bitmaps. */
export class BitMap {
  readonly #bytes: Buffer;

  constructor(bits: number) {
    this.#bytes = Buffer.alloc(Math.ceil(bits / 8));
  }

  set(first: number, count: number): void {
    let at = first;
    const end = first + count;
    while (at < end) {
      if (at % 8 === 0 && end - at >= 8) {
        const bytes = Math.floor((end - at) / 8);
        this.#bytes.fill(0xff, at / 8, at / 8 + bytes);
        at += bytes * 8;
      } else {
        this.#bytes[at >> 3]! |= 1 << (at & 7);
        at++;
      }
    }
  }

  /** How many of `count` bits are clear; both numbers are multiples of 8. */
  countClear(first: number, count: number): number {
    let clear = 0;
    for (let i = first / 8; i < (first + count) / 8; i++) {
      let byte = ~this.#bytes[i]! & 0xff;
      for (; byte > 0; byte &= byte - 1) clear++;
    }
    return clear;
  }

  /** Copies `count` bits into a bitmap block at `at`; what is left of the block is set. */
  copyTo(into: Buffer, at: number, first: number, count: number): void {
    this.#bytes.copy(into, at, first / 8, (first + count) / 8);
    into.fill(0xff, at + count / 8, at + BLOCK_SIZE_BYTES);
  }
}
