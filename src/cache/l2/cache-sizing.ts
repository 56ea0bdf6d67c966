import type { ChunkName } from '../../seal/mod.ts';
import { MissRatioCurve, type MissRatioPoint } from './miss-ratio-curve.ts';

const SECONDS_PER_MONTH = 30 * 24 * 3600;

/** In one currency, whichever. */
export interface CachePrices {
  /** Of holding a gibibyte in the cache for a month. */
  readonly gibibyteMonth: number;
  /** Of fetching a chunk from the origin once. */
  readonly originGet: number;
}

export interface CacheSizingOptions {
  readonly chunkBytes: number;
  /** The share of loads that are to be hits, such as 0.999. */
  readonly hitShareGoal: number;
  readonly prices: CachePrices;
  /** Bytes stored for a byte cached: (k+m)/k. */
  readonly codeOverhead: number;
  readonly sampleShare?: number;
}

export interface CacheSize {
  readonly loads: number;
  readonly seconds: number;
  /** Holding a chunk so long costs as much as fetching it again (the five-minute rule). */
  readonly breakEvenSeconds: number;
  /** Bytes of chunks used within the break-even time, on average. */
  readonly sizeForCostBytes: number;
  /** Undefined when no size reaches the goal: too many chunks are loaded only once. */
  readonly sizeForHitShareBytes: number | undefined;
  /** What an endless cache would have hit. */
  readonly hitShareMost: number;
  /** The larger of the two, as chunks and as stored bytes. */
  readonly sizeBytes: number;
  readonly storedBytes: number;
  readonly hitShareAtSize: number;
  readonly curve: readonly MissRatioPoint[];
}

/**
 * How large the cache of a recorded load has to be: the larger of the size at which holding costs
 * what fetching again would (Gray and Putzolu's five-minute rule, SIGMOD'87) and the size that hits
 * often enough (ATC'23 section 4.3). Fed load by load in order of time; pure.
 */
export class CacheSizing {
  readonly #options: CacheSizingOptions;
  readonly #curve: MissRatioCurve;
  readonly #breakEvenMs: number;
  readonly #lastLoadMs = new Map<ChunkName, number>();
  #heldChunkMs = 0;
  #firstMs: number | undefined;
  #lastMs = 0;

  constructor(options: CacheSizingOptions) {
    const { chunkBytes, prices, codeOverhead } = options;
    this.#options = options;
    this.#curve = new MissRatioCurve(options);
    const holdingSecond =
      (chunkBytes * codeOverhead * prices.gibibyteMonth) / 2 ** 30 / SECONDS_PER_MONTH;
    this.#breakEvenMs = (prices.originGet / holdingSecond) * 1000;
  }

  add(timeMs: number, chunkName: ChunkName): void {
    this.#firstMs ??= timeMs;
    this.#lastMs = timeMs;
    if (!this.#curve.add(chunkName)) return;
    const beforeMs = this.#lastLoadMs.get(chunkName);
    // Each load keeps its chunk until the next one, or until keeping it costs more than a fetch.
    if (beforeMs !== undefined) {
      this.#heldChunkMs += Math.min(timeMs - beforeMs, this.#breakEvenMs);
    }
    this.#lastLoadMs.set(chunkName, timeMs);
  }

  result(): CacheSize {
    const { chunkBytes, hitShareGoal, codeOverhead } = this.#options;
    const curve = this.#curve.points();
    const durationMs = this.#lastMs - (this.#firstMs ?? 0);
    const sizeForCostBytes = this.#sizeForCost(durationMs) * chunkBytes;
    const reached = curve.find(({ missShare }) => 1 - missShare >= hitShareGoal);
    const sizeBytes = Math.max(sizeForCostBytes, reached?.sizeBytes ?? 0);
    return {
      loads: this.#curve.loads,
      seconds: durationMs / 1000,
      breakEvenSeconds: this.#breakEvenMs / 1000,
      sizeForCostBytes,
      sizeForHitShareBytes: reached?.sizeBytes,
      hitShareMost: 1 - (curve.at(-1)?.missShare ?? 1),
      sizeBytes,
      storedBytes: sizeBytes * codeOverhead,
      hitShareAtSize: 1 - missShareAt(curve, sizeBytes),
      curve,
    };
  }

  #sizeForCost(durationMs: number): number {
    if (durationMs === 0) return this.#lastLoadMs.size / (this.#options.sampleShare ?? 1);
    let heldMs = this.#heldChunkMs;
    for (const lastMs of this.#lastLoadMs.values()) {
      heldMs += Math.min(this.#lastMs - lastMs, this.#breakEvenMs);
    }
    return heldMs / durationMs / (this.#options.sampleShare ?? 1);
  }
}

/** The curve is a staircase: a size misses what the last point at or below it misses. */
export function missShareAt(curve: readonly MissRatioPoint[], sizeBytes: number): number {
  let low = 0;
  let high = curve.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (curve[middle]!.sizeBytes <= sizeBytes) low = middle + 1;
    else high = middle;
  }
  return curve[low - 1]?.missShare ?? 1;
}
