import type { ObjectStore, ObjectUsage } from '../origin/mod.ts';
import type { PutOutcome } from '../seal/mod.ts';

export class Crash extends Error {
  constructor() {
    super('the process was killed');
  }
}

/** Objects seen by a process that can be killed between, or right after, two of its writes. */
export class CrashingObjects implements ObjectStore {
  readonly #store: ObjectStore;
  #writesLeft = Number.POSITIVE_INFINITY;
  #crashed = false;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  get crashed(): boolean {
    return this.#crashed;
  }

  /** Lets so many writes pass and dies at the next; `Infinity` to live. */
  dieAfter(writes: number): void {
    this.#writesLeft = writes;
  }

  async get(key: string): Promise<Buffer | undefined> {
    this.#mustLive();
    return await this.#store.get(key);
  }

  async putIfAbsent(key: string, bytes: Buffer): Promise<PutOutcome> {
    this.#spend();
    return await this.#store.putIfAbsent(key, bytes);
  }

  async replace(key: string, bytes: Buffer): Promise<void> {
    this.#spend();
    await this.#store.replace(key, bytes);
  }

  list(prefix: string, after?: string): AsyncIterable<string> {
    this.#mustLive();
    return this.#store.list(prefix, after);
  }

  async usage(prefix: string): Promise<ObjectUsage> {
    this.#mustLive();
    return await this.#store.usage(prefix);
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      this.#spend();
      await this.#store.remove([key]);
    }
  }

  async settle(): Promise<void> {
    this.#mustLive();
  }

  #spend(): void {
    this.#mustLive();
    if (this.#writesLeft-- <= 0) this.#crashed = true;
    this.#mustLive();
  }

  #mustLive(): void {
    if (this.#crashed) throw new Crash();
  }
}
