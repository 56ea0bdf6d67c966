import { limits } from '../../base/mod.ts';
import { readHeader } from './call-head.ts';

const LINE_END = Buffer.from('\r\n');
/** A chunk's size, with whatever extensions (RFC 9112 section 7.1.1). */
const SIZE_LINE = /^([0-9a-fA-F]{1,12})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/;
const SIZE_LINE_BYTES_MAX = 1024;

type State = 'data' | 'size' | 'data-end' | 'trailers' | 'done' | 'broken';

/**
 * Takes the framing off one body, by its length or its chunks, a part at a time; between two parts
 * it holds nothing back, so that whoever feeds it may stop there.
 */
export class BodyDecoder {
  readonly trailers = new Map<string, string>();
  readonly #chunked: boolean;
  #state: State;
  /** Of the chunk, or of the whole body. */
  #leftBytes: number;
  #trailerBytes = 0;

  /** `bodyBytes` undefined: chunked. */
  constructor(bodyBytes: number | undefined) {
    this.#chunked = bodyBytes === undefined;
    this.#leftBytes = bodyBytes ?? 0;
    this.#state = this.#chunked ? 'size' : bodyBytes === 0 ? 'done' : 'data';
  }

  get isDone(): boolean {
    return this.#state === 'done';
  }

  /** What came is no body; nothing after it can be read. */
  get isBroken(): boolean {
    return this.#state === 'broken';
  }

  /**
   * Reads on in `bytes` from `from`, until a part of the body, the end, or the lack of more. Answers
   * where it stopped; what lies behind comes again with the next call.
   */
  read(bytes: Buffer, from: number, onPart: (part: Buffer) => void): number {
    let at = from;
    for (;;) {
      if (this.#state === 'data') {
        const end = Math.min(at + this.#leftBytes, bytes.length);
        if (end === at) return at;
        this.#leftBytes -= end - at;
        if (this.#leftBytes === 0) this.#state = this.#chunked ? 'data-end' : 'done';
        onPart(bytes.subarray(at, end));
        return end;
      }
      if (this.#state === 'done' || this.#state === 'broken') return at;
      const end = bytes.indexOf(LINE_END, at);
      const lineBytes = (end < 0 ? bytes.length - 1 : end) - at;
      if (lineBytes > this.#lineBytesMax) {
        this.#state = 'broken';
        return at;
      }
      if (end < 0) return at;
      this.#takeLine(bytes.toString('latin1', at, end));
      at = end + LINE_END.length;
    }
  }

  get #lineBytesMax(): number {
    if (this.#state === 'data-end') return 0;
    return this.#state === 'size' ? SIZE_LINE_BYTES_MAX : limits.runtime.headBytes;
  }

  #takeLine(line: string): void {
    if (this.#state === 'size') this.#takeSize(line);
    else if (this.#state === 'data-end') this.#state = line === '' ? 'size' : 'broken';
    else if (line === '') this.#state = 'done';
    else {
      this.#trailerBytes += line.length + LINE_END.length;
      const fits = this.#trailerBytes <= limits.runtime.headBytes;
      if (!fits || !readHeader(line, this.trailers)) this.#state = 'broken';
    }
  }

  #takeSize(line: string): void {
    const size = SIZE_LINE.exec(line)?.[1];
    if (size === undefined) this.#state = 'broken';
    else {
      this.#leftBytes = Number.parseInt(size, 16);
      this.#state = this.#leftBytes === 0 ? 'trailers' : 'data';
    }
  }
}
