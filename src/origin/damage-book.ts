import { type Clock, type Logger, limits, SingleFlight } from '../base/mod.ts';
import type { ChunkName, ChunkRef } from '../seal/mod.ts';
import type { ObjectStore } from './object-store.ts';

interface Noted {
  readonly names: ReadonlySet<ChunkName>;
  readonly readAtMs: number;
}

const prefixOf = (rootId: string) => `roots/${rootId}/damaged/`;

/**
 * Chunks that were read and found damaged where they rest, an object `roots/<root>/damaged/<name>`
 * each until a put has healed them. Readers write here, so that those who store need not read back
 * each chunk that is present to find the one that has to be replaced.
 */
export class DamageBook {
  readonly #objects: ObjectStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #noted = new Map<string, Noted>();
  readonly #readings = new SingleFlight<string, ReadonlySet<ChunkName>>();

  constructor(objects: ObjectStore, clock: Clock, logger: Logger) {
    this.#objects = objects;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Resolves also where it cannot be written: the reader has a worse error to report. */
  async note({ rootId, name }: ChunkRef): Promise<void> {
    try {
      await this.#objects.putIfAbsent(prefixOf(rootId) + name, Buffer.from('{}'));
    } catch (error) {
      this.#logger.warn({ rootId, chunk: name, error }, 'a damaged chunk could not be noted');
    }
  }

  /** As of the last few seconds. */
  async has({ rootId, name }: ChunkRef): Promise<boolean> {
    const known = this.#noted.get(rootId);
    const fresh = known && this.#clock.monotonicMs() - known.readAtMs < limits.origin.rootStateMs;
    const names = fresh ? known.names : await this.#readings.run(rootId, () => this.#read(rootId));
    return names.has(name);
  }

  async healed({ rootId, name }: ChunkRef): Promise<void> {
    await this.#objects.remove([prefixOf(rootId) + name]);
    this.#noted.delete(rootId);
  }

  async #read(rootId: string): Promise<ReadonlySet<ChunkName>> {
    const readAtMs = this.#clock.monotonicMs();
    const names = new Set<ChunkName>();
    const prefix = prefixOf(rootId);
    for await (const key of this.#objects.list(prefix)) names.add(key.slice(prefix.length));
    this.#noted.clear();
    this.#noted.set(rootId, { names, readAtMs });
    return names;
  }
}
