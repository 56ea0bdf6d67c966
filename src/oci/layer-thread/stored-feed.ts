import type { MessageQueue } from './message-queue.ts';
import type { ToLayerThread } from './protocol.ts';

type Tell = (message: ToLayerThread, transfer?: readonly ArrayBuffer[]) => void;

/** Sends a layer's stored bytes to its thread, one Buffer for each credit. */
export class StoredFeed {
  /** Rejects with what the source throws; never resolves. */
  readonly failed: Promise<never>;
  readonly #credits: MessageQueue<true>;
  readonly #tell: Tell;
  #stopped = false;

  constructor(stored: AsyncIterable<Buffer>, credits: MessageQueue<true>, tell: Tell) {
    this.#credits = credits;
    this.#tell = tell;
    this.failed = new Promise((_, reject) => {
      this.#pump(stored).catch(reject);
    });
    this.failed.catch(() => {});
  }

  stop(): void {
    this.#stopped = true;
    this.#credits.push(true);
  }

  async #pump(stored: AsyncIterable<Buffer>): Promise<void> {
    await this.#credits.next();
    for await (const bytes of stored) {
      if (this.#stopped) return;
      const whole = ownedBytes(bytes);
      this.#tell({ type: 'stored', bytes: whole }, [whole.buffer]);
      await this.#credits.next();
      if (this.#stopped) return;
    }
    if (!this.#stopped) this.#tell({ type: 'storedEnd' });
  }
}

/** Bytes whose memory may be given away: a view of memory that others see too is copied. */
function ownedBytes(bytes: Buffer): Uint8Array<ArrayBuffer> {
  const { buffer, byteLength } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) {
    return new Uint8Array(buffer);
  }
  return Uint8Array.from(bytes);
}
