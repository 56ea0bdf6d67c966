import type { ChunkName, ChunkRef, ChunkSource } from '../seal/mod.ts';
import type { Tier } from './device-counters.ts';

/**
 * Tells which tier answered a chunk: each tier's source is wrapped, the farthest one that was
 * asked answers first and is believed. For chunks that are asked for one at a time by name.
 */
export class TierWatch {
  readonly #answered = new Map<ChunkName, Tier>();

  watch(tier: Tier, source: ChunkSource): ChunkSource {
    return {
      get: async (ref: ChunkRef, signal?: AbortSignal) => {
        const bytes = await source.get(ref, signal);
        if (!this.#answered.has(ref.name)) this.#answered.set(ref.name, tier);
        return bytes;
      },
    };
  }

  /** The tier that answered, once. */
  take(name: ChunkName): Tier {
    const tier = this.#answered.get(name);
    this.#answered.delete(name);
    return tier ?? 'memory';
  }
}
