import { BoundedQueue, type Counter, isSluiceError, limits, type Meter } from '../../base/mod.ts';
import type { ErasureCode } from '../../erasure/mod.ts';
import type { ChunkName } from '../../seal/mod.ts';
import { stripeId } from './stripe-key.ts';
import type { Zone } from './zone.ts';

export interface Upload {
  readonly chunkName: ChunkName;
  readonly chunk: Buffer;
  readonly indexes: readonly number[];
  /** A stripe that lies is in the way: the node keeps what it has unless told to drop it. */
  readonly replace: boolean;
}

interface Waiting {
  readonly upload: Upload;
  ended(): void;
}

export interface UploaderOptions {
  readonly zone: Zone;
  readonly code: ErasureCode;
  readonly meter: Meter;
}

/**
 * Puts stripes into L2 behind the reads: a few chunks at once, a bounded number waiting, and what
 * finds no room is dropped, for the next miss will bring it again. Nothing is tried twice.
 */
export class Uploader {
  readonly #zone: Zone;
  readonly #code: ErasureCode;
  readonly #queue = new BoundedQueue<Waiting>(limits.l2.uploadsWaiting);
  readonly #uploads: Counter;
  readonly #idleWaiters: (() => void)[] = [];
  #running = 0;

  constructor({ zone, code, meter }: UploaderOptions) {
    this.#zone = zone;
    this.#code = code;
    this.#uploads = meter.counter('sluice_l2_uploads_total', 'Stripes put into L2, by outcome', [
      'outcome',
    ]);
  }

  /** Resolves when the upload has ended, well or not, with whether there was room for it. */
  offer(upload: Upload): Promise<boolean> {
    if (upload.indexes.length === 0) return Promise.resolve(true);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    try {
      this.#queue.push({ upload, ended: () => resolve(true) });
    } catch (error) {
      if (!isSluiceError(error, 'OVERLOADED')) throw error;
      this.#uploads.add(upload.indexes.length, { outcome: 'dropped' });
      return Promise.resolve(false);
    }
    this.#pump();
    return promise;
  }

  /** Resolves when nothing waits and nothing is under way. */
  async idle(): Promise<void> {
    if (this.#running === 0 && this.#queue.length === 0) return;
    await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  #pump(): void {
    while (this.#running < limits.l2.uploadsAtOnce) {
      const next = this.#queue.shift();
      if (!next) break;
      this.#running++;
      void this.#run(next.upload).finally(() => {
        this.#running--;
        next.ended();
        this.#pump();
      });
    }
    if (this.#running > 0) return;
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  async #run({ chunkName, chunk, indexes, replace }: Upload): Promise<void> {
    const { k, m } = this.#code;
    const stripes = this.#code.encode(chunk);
    const puts = indexes.map(async (index) => {
      const client = this.#zone.clientOf(chunkName, index);
      const id = stripeId({ chunkName, k, m, index });
      if (replace) await client?.delete(id);
      const stored = await client?.put(id, stripes[index]!);
      this.#uploads.add(1, { outcome: stored ? 'stored' : 'failed' });
    });
    await Promise.all(puts);
  }
}
