import { SluiceError } from '../base/mod.ts';
import type { DataExtent } from './entry.ts';
import { BLOCK_SIZE_BYTES, FILE_SIZE_BYTES_MAX } from './format.ts';

/** Blocks of a file that have data, in its own numbering. */
export interface Segment {
  readonly logical: number;
  readonly count: number;
}

const floorBlock = (bytes: number): number => Math.floor(bytes / BLOCK_SIZE_BYTES);
const ceilBlock = (bytes: number): number => Math.ceil(bytes / BLOCK_SIZE_BYTES);

/** Checks a file's size and its data extents; a file that is not sparse has one extent, or none. */
export function checkExtents(
  sizeBytes: number,
  sparse: readonly DataExtent[] | undefined,
): readonly DataExtent[] {
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || sizeBytes > FILE_SIZE_BYTES_MAX) {
    throw new SluiceError('IMAGE_ENTRY_INVALID', `a file's size of ${sizeBytes} is not possible`);
  }
  if (!sparse) return sizeBytes === 0 ? [] : [{ offset: 0, length: sizeBytes }];
  let end = 0;
  for (const { offset, length } of sparse) {
    if (!(offset >= end && length >= 0 && offset + length <= sizeBytes)) {
      throw new SluiceError('IMAGE_ENTRY_INVALID', 'its sparse map is out of order or of its size');
    }
    end = offset + length;
  }
  return sparse.filter((extent) => extent.length > 0);
}

/** The blocks that extents touch, joined where they share one or follow each other. */
export function toSegments(extents: readonly DataExtent[]): Segment[] {
  const segments: { logical: number; count: number }[] = [];
  for (const { offset, length } of extents) {
    const last = segments.at(-1);
    const lastEnd = last ? last.logical + last.count : 0;
    const first = floorBlock(offset);
    const end = ceilBlock(offset + length);
    if (last && first <= lastEnd) last.count = Math.max(lastEnd, end) - last.logical;
    else segments.push({ logical: first, count: end - first });
  }
  return segments;
}

const zeros = Buffer.alloc(BLOCK_SIZE_BYTES);

/** Yields `length` bytes of `source` in pieces, and leaves the rest for the next call. */
class Pieces {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterator<Buffer>) {
    this.#source = source;
  }

  async next(lengthMax: number): Promise<Buffer> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#source.next();
      if (done) throw new SluiceError('IMAGE_ENTRY_INVALID', 'its content ends too early');
      this.#rest = value;
    }
    const piece = this.#rest.subarray(0, lengthMax);
    this.#rest = this.#rest.subarray(piece.length);
    return piece;
  }
}

/**
 * Turns the data extents of a sparse file into its blocks: zeros fill a block's bytes before,
 * between and behind extents. The last block may come short.
 */
export async function* sparseBlocks(
  extents: readonly DataExtent[],
  content: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const pieces = new Pieces(content[Symbol.asyncIterator]());
  let at = 0;
  for (const { offset, length } of extents) {
    const blockEnd = ceilBlock(at) * BLOCK_SIZE_BYTES;
    if (offset >= blockEnd) {
      yield zeros.subarray(0, blockEnd - at);
      at = floorBlock(offset) * BLOCK_SIZE_BYTES;
    }
    yield zeros.subarray(0, offset - at);
    for (let done = 0; done < length; ) {
      const piece = await pieces.next(length - done);
      done += piece.length;
      yield piece;
    }
    at = offset + length;
  }
}
