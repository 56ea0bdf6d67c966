import { CHUNK_SIZE_BYTES } from '../base/mod.ts';
import type { ChunkOutput } from './chunk-output.ts';
import { BLOCK_SIZE_BYTES, BLOCKS_PER_CHUNK } from './format.ts';
import { LOW_AREA_BLOCK, LOW_AREA_END_BLOCK } from './geometry.ts';

/**
 * Where directories, long symlinks, attribute blocks and extent trees go, one after another: below
 * the data, and behind it what the room below cannot hold.
 */
export class MetadataArea {
  readonly #output: ChunkOutput;
  readonly #overflowBlock: number;
  readonly #full: { chunk: number; data: Buffer }[] = [];
  #chunk: Buffer | undefined;
  #next = LOW_AREA_BLOCK;

  /** @param overflowBlock the first block behind all data, at a chunk's start */
  constructor(output: ChunkOutput, overflowBlock: number) {
    this.#output = output;
    this.#overflowBlock = overflowBlock;
  }

  /** The first block behind all data and behind what went there. */
  get endBlock(): number {
    return Math.max(this.#next, this.#overflowBlock);
  }

  /** How much of the current chunk is filled. */
  get filledBlocks(): number {
    return this.#next % BLOCKS_PER_CHUNK;
  }

  /** Goes on at the next chunk. */
  cut(): void {
    this.#endChunk();
    this.#next = Math.ceil(this.#next / BLOCKS_PER_CHUNK) * BLOCKS_PER_CHUNK;
  }

  /** Puts whole blocks next to each other and answers the first one's number. */
  append(blocks: Buffer): number {
    const count = blocks.length / BLOCK_SIZE_BYTES;
    if (this.#next <= LOW_AREA_END_BLOCK && this.#next + count > LOW_AREA_END_BLOCK) {
      this.#endChunk();
      this.#next = this.#overflowBlock;
    }
    const first = this.#next;
    for (let at = 0; at < blocks.length; ) {
      this.#chunk ??= Buffer.alloc(CHUNK_SIZE_BYTES);
      const into = (this.#next % BLOCKS_PER_CHUNK) * BLOCK_SIZE_BYTES;
      const copied = blocks.copy(this.#chunk, into, at);
      at += copied;
      this.#next += copied / BLOCK_SIZE_BYTES;
      if (into + copied === CHUNK_SIZE_BYTES) this.#endChunk();
    }
    return first;
  }

  /** Passes on the chunks that are full; to be called now and then, to keep them few. */
  async settle(): Promise<void> {
    for (const { chunk, data } of this.#full.splice(0)) {
      const buffer = await this.#output.take();
      data.copy(buffer);
      this.#output.put(chunk, buffer);
    }
  }

  async finish(): Promise<void> {
    this.#endChunk();
    await this.settle();
  }

  #endChunk(): void {
    if (!this.#chunk) return;
    const chunk = Math.floor((this.#next - 1) / BLOCKS_PER_CHUNK);
    this.#full.push({ chunk, data: this.#chunk });
    this.#chunk = undefined;
  }
}
