import { limits } from '../base/mod.ts';

/** What a prefetcher asks of the miss table. */
export interface PrefetchTarget {
  /** Asks for a chunk that nobody waits for; `full` while the memory tier has no slot to give. */
  prefetch(chunk: number): 'asked' | 'present' | 'full';
  /** Is anybody waiting for a chunk now? */
  readonly demand: boolean;
}

/**
 * Brings the chunks of an access log into memory ahead of the reads, in the log's order, a few at
 * once, fewer while a read waits, and at most as many as the memory tier can keep.
 */
export class Prefetcher {
  readonly #target: PrefetchTarget;
  readonly #chunks: Uint32Array;
  readonly #end: number;
  readonly #urgent: number;
  #next = 0;
  #inFlight = 0;

  /** `urgent`: as many of the first are what the reads wait for, and make room for none. */
  constructor(target: PrefetchTarget, chunks: Uint32Array, chunksMax: number, urgent = 0) {
    this.#target = target;
    this.#urgent = urgent;
    this.#chunks = chunks;
    this.#end = Math.min(chunks.length, chunksMax);
  }

  get done(): boolean {
    return this.#next >= this.#end && this.#inFlight === 0;
  }

  /** Asks for as many as may be in flight now. */
  advance(): void {
    while (this.#next < this.#end) {
      if (this.#inFlight >= this.#atOnce()) return;
      const outcome = this.#target.prefetch(this.#chunks[this.#next]!);
      if (outcome === 'full') return;
      this.#next++;
      if (outcome === 'asked') this.#inFlight++;
    }
  }

  #atOnce(): number {
    const { packBlocksAtOnce, prefetchAtOnce, prefetchAtOnceWithDemand } = limits.device;
    if (this.#next < this.#urgent) return packBlocksAtOnce;
    return this.#target.demand ? prefetchAtOnceWithDemand : prefetchAtOnce;
  }

  /** One that was asked for has come, or never will. */
  settled(): void {
    this.#inFlight--;
    this.advance();
  }

  stop(): void {
    this.#next = this.#end;
  }
}
