/** Keeps the last bytes of what is pushed, up to a limit. */
export class TailBuffer {
  readonly #limitBytes: number;
  #chunks: Buffer[] = [];
  #sizeBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  push(chunk: Buffer): void {
    const kept = chunk.length > this.#limitBytes ? chunk.subarray(-this.#limitBytes) : chunk;
    this.#chunks.push(kept);
    this.#sizeBytes += kept.length;
    if (this.#sizeBytes > 4 * this.#limitBytes) this.#compact();
  }

  bytes(): Buffer {
    this.#compact();
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  #compact(): void {
    const all = Buffer.concat(this.#chunks).subarray(-this.#limitBytes);
    this.#chunks = [Buffer.from(all)];
    this.#sizeBytes = all.length;
  }
}
