const newline = 0x0a;

/**
 * Cuts a byte stream into lines, without their ends. A line over the limit comes in pieces of the
 * limit, so that what is held back never exceeds it.
 */
export class LineSplitter {
  readonly #limitBytes: number;
  readonly #onLine: (line: Buffer) => void;
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** The last piece was cut at the limit, so a line end right after it is not an empty line. */
  #cut = false;

  constructor(limitBytes: number, onLine: (line: Buffer) => void) {
    this.#limitBytes = limitBytes;
    this.#onLine = onLine;
  }

  /** Gives out at most so many lines, and answers how many bytes that took. */
  push(chunk: Buffer, lines = Number.POSITIVE_INFINITY): number {
    let start = 0;
    let left = lines;
    while (start < chunk.length && left > 0) {
      const end = chunk.indexOf(newline, start);
      const untilEnd = end < 0 ? chunk.length : end;
      const until = Math.min(untilEnd, start + this.#limitBytes - this.#heldBytes);
      this.#hold(chunk.subarray(start, until));
      if (until === end || this.#heldBytes >= this.#limitBytes) {
        this.flush(until === end);
        left -= 1;
      }
      start = until === end ? end + 1 : until;
    }
    return start;
  }

  /** Gives out what is held as a line; an empty one only if it `ended` as one. */
  flush(ended = false): void {
    const endsCutLine = ended && this.#cut && this.#heldBytes === 0;
    this.#cut = !ended && this.#heldBytes > 0;
    if (endsCutLine || (this.#heldBytes === 0 && !ended)) return;
    const line = this.#held.length === 1 ? this.#held[0] : Buffer.concat(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    this.#onLine(line ?? Buffer.alloc(0));
  }

  #hold(part: Buffer): void {
    if (part.length === 0) return;
    this.#held.push(part);
    this.#heldBytes += part.length;
  }
}
