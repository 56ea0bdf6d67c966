import { SluiceError } from './errors.ts';

/** Bounds how many run at once and how many may wait; a full line is refused, not grown. */
export class Semaphore {
  readonly #permits: number;
  readonly #maxWaiting: number;
  #taken = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(permits: number, maxWaiting = Number.POSITIVE_INFINITY) {
    this.#permits = permits;
    this.#maxWaiting = maxWaiting;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  tryAcquire(): boolean {
    if (this.#taken >= this.#permits) return false;
    this.#taken++;
    return true;
  }

  async acquire(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.tryAcquire()) return;
    if (this.#waiting.length >= this.#maxWaiting) {
      throw new SluiceError('OVERLOADED', `more than ${this.#maxWaiting} callers are waiting`);
    }
    await new Promise<void>((resolve, reject) => {
      const grant = () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = () => {
        const index = this.#waiting.indexOf(grant);
        if (index >= 0) this.#waiting.splice(index, 1);
        reject(signal?.reason);
      };
      this.#waiting.push(grant);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#taken--;
  }

  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.acquire(signal);
    try {
      return await work();
    } finally {
      this.release();
    }
  }
}
