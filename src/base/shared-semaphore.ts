import { SluiceError } from './errors.ts';

interface Waiting {
  readonly key: string;
  readonly grant: () => void;
}

export interface SharedSemaphoreOptions {
  /** How many run at once, and how many of them for one key. */
  readonly permits: number;
  readonly permitsPerKey: number;
  /** How many wait, and how many of them for one key; more are refused. */
  readonly maxWaiting: number;
  readonly maxWaitingPerKey: number;
}

/**
 * A semaphore of which no key holds all: each runs so many at once, and a free permit goes to the
 * key that has the fewest, among equals to the one that has waited longest.
 */
export class SharedSemaphore {
  readonly #options: SharedSemaphoreOptions;
  readonly #taken = new Map<string, number>();
  readonly #waiting: Waiting[] = [];
  #all = 0;

  constructor(options: SharedSemaphoreOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Rejects with `OVERLOADED` when too many wait, and with the signal's reason. */
  async run<T>(key: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#acquire(key, signal);
    try {
      return await work();
    } finally {
      this.#release(key);
    }
  }

  async #acquire(key: string, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#mayRun(key)) {
      this.#take(key);
      return;
    }
    const { maxWaiting, maxWaitingPerKey } = this.#options;
    const own = this.#waiting.filter((each) => each.key === key).length;
    if (this.#waiting.length >= maxWaiting || own >= maxWaitingPerKey) {
      throw new SluiceError('OVERLOADED', `${key}: more than ${own} callers are waiting`);
    }
    await new Promise<void>((resolve, reject) => {
      const grant = () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const waiting = { key, grant };
      const onAbort = () => {
        const index = this.#waiting.indexOf(waiting);
        if (index >= 0) this.#waiting.splice(index, 1);
        reject(signal?.reason);
      };
      this.#waiting.push(waiting);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  #release(key: string): void {
    const left = this.#takenBy(key) - 1;
    if (left === 0) this.#taken.delete(key);
    else this.#taken.set(key, left);
    this.#all--;
    const able = this.#waiting.filter((each) => this.#mayRun(each.key));
    const next = able.reduce<Waiting | undefined>(
      (best, each) => (best && this.#takenBy(best.key) <= this.#takenBy(each.key) ? best : each),
      undefined,
    );
    if (!next) return;
    this.#waiting.splice(this.#waiting.indexOf(next), 1);
    this.#take(next.key);
    next.grant();
  }

  #mayRun(key: string): boolean {
    const { permits, permitsPerKey } = this.#options;
    return this.#all < permits && this.#takenBy(key) < permitsPerKey;
  }

  #take(key: string): void {
    this.#taken.set(key, this.#takenBy(key) + 1);
    this.#all++;
  }

  #takenBy(key: string): number {
    return this.#taken.get(key) ?? 0;
  }
}
