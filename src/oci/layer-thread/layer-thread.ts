import { Worker } from 'node:worker_threads';
import { assert, SluiceError } from '../../base/mod.ts';
import type { LayerChecks } from '../layer-bytes.ts';
import { MessageQueue } from './message-queue.ts';
import {
  type FromLayerThread,
  type LayerThreadData,
  SLOT_BYTES,
  SLOTS,
  STORED_AHEAD,
  type ToLayerThread,
} from './protocol.ts';
import { StoredFeed } from './stored-feed.ts';

/**
 * Decompresses and hashes layers in a thread of its own, one at a time. So the caller's thread is
 * free for what it makes of the bytes, and its heap is spared the garbage of decompression, which
 * costs a full collection every few megabytes.
 */
export class LayerThread {
  readonly #slots = new SharedArrayBuffer(SLOTS * SLOT_BYTES);
  readonly #worker: Worker;
  readonly #answers = new MessageQueue<FromLayerThread>();
  readonly #credits = new MessageQueue<true>();
  #busy = false;

  constructor() {
    const file = import.meta.url.replace(/layer-thread(\.[jt]s)$/, 'layer-thread-main$1');
    const workerData: LayerThreadData = { slots: this.#slots };
    this.#worker = new Worker(new URL(file), { workerData, name: 'sluice-layer' });
    this.#worker.unref();
    this.#worker.on('message', (message: FromLayerThread) => {
      if (message.type === 'taken') this.#credits.push(true);
      else this.#answers.push(message);
    });
    this.#worker.on('error', (error) => this.#died(error));
    this.#worker.on('exit', () => this.#died(undefined));
  }

  get busy(): boolean {
    return this.#busy;
  }

  /**
   * As `layerBytes`; a Buffer is overwritten once the next is asked for. The Buffers of `stored`
   * are given away to the thread.
   */
  async *read(stored: AsyncIterable<Buffer>, checks: LayerChecks): AsyncGenerator<Buffer> {
    assert(!this.#busy, 'a layer thread reads one layer at a time');
    this.#busy = true;
    this.#answers.clear();
    this.#credits.clear();
    for (let i = 0; i < STORED_AHEAD; i++) this.#credits.push(true);
    this.#tell({ type: 'open', checks });
    const source = new StoredFeed(stored, this.#credits, (...words) => this.#tell(...words));
    let ended = false;
    try {
      for (;;) {
        const answer = await Promise.race([this.#answers.next(), source.failed]);
        if (answer.type === 'bytes') {
          yield Buffer.from(this.#slots, answer.slot * SLOT_BYTES, answer.length);
          this.#tell({ type: 'free', slot: answer.slot });
          continue;
        }
        ended = true;
        if (answer.type === 'end') return;
        assert(answer.type === 'failed', 'no other answer');
        throw SluiceError.of(answer.error);
      }
    } finally {
      source.stop();
      if (!ended) await this.#cancel();
      this.#busy = false;
    }
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #tell(message: ToLayerThread, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  /** Waits until the thread has let go of the layer. */
  async #cancel(): Promise<void> {
    this.#tell({ type: 'cancel' });
    while ((await this.#answers.next()).type === 'bytes');
  }

  #died(cause: unknown): void {
    const message = `the layer thread ended${cause === undefined ? '' : `: ${String(cause)}`}`;
    this.#answers.push({ type: 'failed', error: { code: 'INTERNAL', message, data: {} } });
  }
}
