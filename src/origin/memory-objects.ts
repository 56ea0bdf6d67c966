import type { PutOutcome } from '../seal/mod.ts';
import { checkKey, type ObjectStore, type ObjectUsage } from './object-store.ts';

/** Objects in this process's memory, for tests and simulation: nothing bounds it but its use. */
export class MemoryObjects implements ObjectStore {
  readonly #objects = new Map<string, Buffer>();

  async get(key: string, signal?: AbortSignal): Promise<Buffer | undefined> {
    signal?.throwIfAborted();
    const bytes = this.#objects.get(key);
    return bytes && Buffer.from(bytes);
  }

  async putIfAbsent(key: string, bytes: Buffer): Promise<PutOutcome> {
    checkKey(key);
    if (this.#objects.has(key)) return 'present';
    this.#objects.set(key, Buffer.from(bytes));
    return 'stored';
  }

  async replace(key: string, bytes: Buffer): Promise<void> {
    checkKey(key);
    this.#objects.set(key, Buffer.from(bytes));
  }

  async *list(prefix: string, after = ''): AsyncIterable<string> {
    const below = [...this.#objects.keys()].filter((key) => key.startsWith(prefix) && key > after);
    yield* below.sort();
  }

  async usage(prefix: string): Promise<ObjectUsage> {
    const sizes = [...this.#objects].filter(([key]) => key.startsWith(prefix));
    const bytes = sizes.reduce((sum, [, object]) => sum + object.length, 0);
    return { objects: sizes.length, bytes };
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.#objects.delete(key);
  }

  async settle(): Promise<void> {}
}
