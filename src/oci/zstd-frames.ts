const ZSTD_MAGIC = 0xfd2fb528;
/** The low four bits are free: 16 magic numbers mean "skip me" (RFC 8878 section 3.1.2). */
const SKIPPABLE_MAGIC = 0x184d2a50;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;
const RLE_BLOCK = 1;

export function isZstdMagic(magic: number): boolean {
  return magic === ZSTD_MAGIC || isSkippableMagic(magic);
}

function isSkippableMagic(magic: number): boolean {
  return (magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC;
}

type Step = 'magic' | 'skipSize' | 'descriptor' | 'block' | 'run';

/** Bytes between frames that begin none. */
export class ZstdFrameError extends Error {}

/**
 * Leaves out the skippable frames of a zstd stream, which pzstd and zstd:chunked write, and cuts it
 * where frames end: Node's decoder takes a skippable frame, or a frame's end inside of what it is
 * given, for the end of the stream. Follows the frames by their headers alone.
 */
export class ZstdFrameFilter {
  #step: Step = 'magic';
  #field = Buffer.alloc(4);
  #fieldFilled = 0;
  /** Bytes of the current run, and whether they are kept; then `#afterRun`. */
  #runLeft = 0;
  #runKept = true;
  #afterRun: Step = 'magic';
  #checksumBytes = 0;

  /**
   * What remains of `bytes`, no piece across the end of a frame. Throws `ZstdFrameError` where a
   * frame should begin and none does.
   */
  filter(bytes: Buffer): Buffer[] {
    const kept: Buffer[] = [];
    let keepFrom = 0;
    let at = 0;
    const drop = (from: number, to: number) => {
      if (from > keepFrom) kept.push(bytes.subarray(keepFrom, from));
      keepFrom = to;
    };
    while (at < bytes.length) {
      if (this.#step === 'run') {
        const length = Math.min(this.#runLeft, bytes.length - at);
        if (!this.#runKept) drop(at, at + length);
        at += length;
        this.#runLeft -= length;
        if (this.#runLeft === 0) this.#step = this.#afterRun;
        continue;
      }
      const start = at;
      const step = this.#step;
      at = this.#gather(bytes, at);
      // A magic number is held back until it is known not to begin a skippable frame.
      if (step === 'magic' || step === 'skipSize') drop(start, at);
      if (this.#fieldFilled < fieldBytes[step]) continue;
      this.#fieldFilled = 0;
      if (this.#advance(step)) kept.push(Buffer.from(this.#field));
    }
    drop(bytes.length, bytes.length);
    return kept;
  }

  /** Whether the stream may end here: between two frames. */
  get complete(): boolean {
    return this.#step === 'magic' && this.#fieldFilled === 0;
  }

  #gather(bytes: Buffer, at: number): number {
    const length = Math.min(fieldBytes[this.#step] - this.#fieldFilled, bytes.length - at);
    bytes.copy(this.#field, this.#fieldFilled, at, at + length);
    this.#fieldFilled += length;
    return at + length;
  }

  /** Acts on a complete field; answers whether a magic number held back is to be kept. */
  #advance(step: Exclude<Step, 'run'>): boolean {
    const value = this.#field.readUInt32LE(0);
    switch (step) {
      case 'magic':
        if (isSkippableMagic(value)) this.#step = 'skipSize';
        else if (value === ZSTD_MAGIC) this.#step = 'descriptor';
        else throw new ZstdFrameError('no zstd frame begins where one should');
        return this.#step !== 'skipSize';
      case 'skipSize':
        this.#run(value, false, 'magic');
        return false;
      case 'descriptor':
        this.#frameHeader(value & 0xff);
        return false;
      case 'block':
        this.#block(value & 0xffffff);
        return false;
    }
  }

  #frameHeader(descriptor: number): void {
    const singleSegment = (descriptor & 0x20) !== 0;
    const sizeFlag = descriptor >> 6;
    this.#checksumBytes = descriptor & 0x04 ? 4 : 0;
    const contentSize = sizeFlag === 0 && singleSegment ? 1 : CONTENT_SIZE_BYTES[sizeFlag]!;
    const rest = (singleSegment ? 0 : 1) + DICTIONARY_ID_BYTES[descriptor & 3]! + contentSize;
    this.#run(rest, true, 'block');
  }

  #block(header: number): void {
    const last = (header & 1) !== 0;
    const sizeBytes = ((header >> 1) & 3) === RLE_BLOCK ? 1 : header >> 3;
    if (last) this.#run(sizeBytes + this.#checksumBytes, true, 'magic');
    else this.#run(sizeBytes, true, 'block');
  }

  #run(lengthBytes: number, kept: boolean, after: Step): void {
    this.#runLeft = lengthBytes;
    this.#runKept = kept;
    this.#afterRun = after;
    this.#step = lengthBytes === 0 ? after : 'run';
  }
}

const fieldBytes = { magic: 4, skipSize: 4, descriptor: 1, block: 3, run: 0 } as const;
