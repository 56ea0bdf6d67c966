import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { assert, CHUNK_SIZE_BYTES, limits, Semaphore, SluiceError } from '../../base/mod.ts';
import type { SealedChunk } from '../../seal/mod.ts';
import type { SealAnswer, SealRequest, SealThreadData } from './seal-protocol.ts';

interface Waiting {
  resolve(answer: SealAnswer): void;
  reject(error: unknown): void;
}

/**
 * Hashes and encrypts chunks on all cores. Memory is one chunk a slot, whatever the image's size:
 * when all slots are taken, `seal` waits, and with it whoever reads the image.
 */
export class SealPool {
  readonly #slots: SharedArrayBuffer;
  readonly #free: number[] = [];
  readonly #permits: Semaphore;
  readonly #threads: { worker: Worker; pending: number }[] = [];
  readonly #waiting = new Map<number, Waiting>();
  #failure: unknown;

  constructor(options: { salt: Buffer; threads?: number }) {
    // One core is busy with the layers: decompressing, and laying the disk out.
    const threads = options.threads ?? Math.max(1, availableParallelism() - 1);
    const slots = limits.disk.chunksInFlight;
    this.#slots = new SharedArrayBuffer(slots * CHUNK_SIZE_BYTES);
    for (let slot = 0; slot < slots; slot++) this.#free.push(slot);
    this.#permits = new Semaphore(slots);
    const workerData: SealThreadData = { salt: Uint8Array.from(options.salt), slots: this.#slots };
    for (let i = 0; i < threads; i++) this.#threads.push(this.#start(workerData));
  }

  /**
   * Seals one chunk and gives the ciphertext to `use`, which may read it until it settles;
   * `plaintext` is copied, and free again, when the call returns.
   */
  async seal<T>(plaintext: Buffer, use: (sealed: SealedChunk) => Promise<T>): Promise<T> {
    assert(plaintext.length === CHUNK_SIZE_BYTES, 'a chunk has its full size');
    await this.#permits.acquire();
    const slot = this.#free.pop();
    assert(slot !== undefined, 'a permit is a free slot');
    try {
      const bytes = Buffer.from(this.#slots, slot * CHUNK_SIZE_BYTES, CHUNK_SIZE_BYTES);
      plaintext.copy(bytes);
      const { name, key } = await this.#request(slot);
      return await use({ name, key: Buffer.from(key), ciphertext: bytes });
    } finally {
      this.#free.push(slot);
      this.#permits.release();
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  #request(slot: number): Promise<SealAnswer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const thread = this.#threads.reduce((a, b) => (b.pending < a.pending ? b : a));
    thread.pending++;
    const answered = new Promise<SealAnswer>((resolve, reject) => {
      this.#waiting.set(slot, { resolve, reject });
    });
    thread.worker.postMessage({ slot } satisfies SealRequest);
    return answered;
  }

  #start(workerData: SealThreadData): { worker: Worker; pending: number } {
    const file = import.meta.url.replace('seal-pool', 'seal-thread');
    const worker = new Worker(new URL(file), { workerData, name: 'sluice-seal' });
    const thread = { worker, pending: 0 };
    worker.on('message', (answer: SealAnswer) => {
      thread.pending--;
      const waiting = this.#waiting.get(answer.slot);
      this.#waiting.delete(answer.slot);
      waiting?.resolve(answer);
    });
    worker.on('error', (error) => this.#fail(error));
    worker.on('exit', () => this.#fail(undefined));
    return thread;
  }

  #fail(cause: unknown): void {
    this.#failure ??= new SluiceError('INTERNAL', 'a sealing thread ended', { cause });
    for (const waiting of this.#waiting.values()) waiting.reject(this.#failure);
    this.#waiting.clear();
  }
}
