import type { ChunkName, ChunkRef, ChunkSource } from '../seal/mod.ts';
import type { Tier } from './device-counters.ts';

/**
 * Tells which tier answered a chunk: each tier's source is wrapped, the farthest one that was
 * asked answers first and is believed. For chunks that are asked for one at a time by name.
 */
export class TierWatch {
  readonly #answered = new Map<ChunkName, Tier>();
  readonly #onAnswer: (tier: Tier) => void;

  /** `onAnswer` hears of each answer of a tier that is not `memory`. */
  constructor(onAnswer: (tier: Tier) => void = () => {}) {
    this.#onAnswer = onAnswer;
  }

  watch(tier: Tier, source: ChunkSource): ChunkSource {
    return {
      get: async (ref: ChunkRef, signal?: AbortSignal) => {
        const bytes = await source.get(ref, signal);
        if (!this.#answered.has(ref.name)) {
          this.#answered.set(ref.name, tier);
          this.#onAnswer(tier);
        }
        return bytes;
      },
    };
  }

  /** A tier answered that is read without its source. */
  nearAnswered(tier: Tier): void {
    this.#onAnswer(tier);
  }

  /** The tier that answered, once. */
  take(name: ChunkName): Tier {
    const tier = this.#answered.get(name);
    this.#answered.delete(name);
    return tier ?? 'memory';
  }
}
