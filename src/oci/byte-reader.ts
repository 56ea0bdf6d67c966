const NO_BYTES = Buffer.alloc(0);

/** A source that can pass over bytes without reading them, as a file can. */
export interface SkippableSource extends AsyncIterable<Buffer> {
  /** The next `count` bytes are not wanted; answers how many of them existed. */
  skip(count: number): number;
}

function isSkippable(source: AsyncIterable<Buffer>): source is SkippableSource {
  return 'skip' in source && typeof source.skip === 'function';
}

/** Reads a stream of Buffers by the byte; hands out views of them and copies only across seams. */
export class ByteReader {
  readonly #source: AsyncIterable<Buffer>;
  readonly #iterator: AsyncIterator<Buffer>;
  #bytes: Buffer = NO_BYTES;
  #ended = false;
  #consumedBytes = 0;

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source;
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** How many bytes were read or skipped so far. */
  get offset(): number {
    return this.#consumedBytes;
  }

  /** How many bytes `take` can answer without waiting. */
  get available(): number {
    return this.#bytes.length;
  }

  /** Makes at least one byte available; false at the end of the source. */
  async fill(): Promise<boolean> {
    while (this.#bytes.length === 0) {
      if (!(await this.#next())) return false;
    }
    return true;
  }

  /** Makes `count` bytes available in one Buffer; false when the source ends before. */
  async ensure(count: number): Promise<boolean> {
    while (this.#bytes.length < count) {
      // Copied first: the source may use the memory again for what comes next.
      const before = Buffer.from(this.#bytes);
      this.#bytes = before;
      if (!(await this.#next())) return false;
      if (before.length > 0) this.#bytes = Buffer.concat([before, this.#bytes]);
    }
    return true;
  }

  /** As `take`, and leaves the bytes there. */
  peek(count: number): Buffer {
    return this.#bytes.subarray(0, count);
  }

  /** Up to `count` of the available bytes: a view, good until the reader waits again. */
  take(count: number): Buffer {
    const taken = this.#bytes.length <= count ? this.#bytes : this.#bytes.subarray(0, count);
    this.#bytes = taken === this.#bytes ? NO_BYTES : this.#bytes.subarray(count);
    this.#consumedBytes += taken.length;
    return taken;
  }

  /** Passes over `count` bytes; false when the source ends before. */
  async skip(count: number): Promise<boolean> {
    let left = count - this.take(count).length;
    if (left > 0 && isSkippable(this.#source)) {
      const skipped = this.#source.skip(left);
      this.#consumedBytes += skipped;
      return skipped === left;
    }
    while (left > 0) {
      if (!(await this.fill())) return false;
      left -= this.take(left).length;
    }
    return true;
  }

  async close(): Promise<void> {
    this.#ended = true;
    await this.#iterator.return?.();
  }

  async #next(): Promise<boolean> {
    if (this.#ended) return false;
    const { value, done } = await this.#iterator.next();
    if (done) {
      this.#ended = true;
      return false;
    }
    this.#bytes = value;
    return true;
  }
}
