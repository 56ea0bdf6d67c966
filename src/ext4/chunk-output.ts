import { CHUNK_SIZE_BYTES, limits } from '../base/mod.ts';
import type { DiskSink } from './entry.ts';

/**
 * Hands chunks to the sink, a bounded number at a time, from buffers that it uses again. A sink's
 * failure comes out of the next `take` or `drain`.
 */
export class ChunkOutput {
  readonly #sink: DiskSink;
  readonly #free: Buffer[] = [];
  #allocated = 0;
  #inFlight = 0;
  #wake: (() => void) | undefined;
  #failure: { error: unknown } | undefined;

  constructor(sink: DiskSink) {
    this.#sink = sink;
  }

  /** A buffer of one chunk with old bytes in it; give it back through `put`. */
  async take(): Promise<Buffer> {
    for (;;) {
      if (this.#failure) throw this.#failure.error;
      const buffer = this.#free.pop();
      if (buffer) return buffer;
      if (this.#allocated < limits.disk.chunksInFlight) {
        this.#allocated++;
        return Buffer.allocUnsafeSlow(CHUNK_SIZE_BYTES);
      }
      await this.#settled();
    }
  }

  put(index: number, data: Buffer): void {
    this.#inFlight++;
    const settle = () => {
      this.#inFlight--;
      this.#free.push(data);
      this.#wake?.();
    };
    this.#sink.writeChunk(index, data).then(settle, (error: unknown) => {
      this.#failure ??= { error };
      settle();
    });
  }

  /** Resolves when the sink has taken all that was put. */
  async drain(): Promise<void> {
    while (this.#inFlight > 0) await this.#settled();
    if (this.#failure) throw this.#failure.error;
  }

  async #settled(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
  }
}
