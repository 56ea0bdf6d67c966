import { type ErrorCode, toSluiceError } from '../base/mod.ts';

/** Where the bytes of a read came from, nearest first; a read counts for its farthest one. */
export const TIERS = ['zero', 'overlay', 'memory', 'slab', 'l2', 'origin'] as const;
export type Tier = (typeof TIERS)[number];

/** Powers of two of microseconds: bucket i counts latencies below 2^i µs, the last one all. */
const BUCKETS = 25;

export interface TierStats {
  readonly reads: number;
  readonly bytes: number;
  /** Reads per latency bucket; bucket i holds those under 2^i µs and not under 2^(i-1). */
  readonly latencyUs: readonly number[];
}

/** JSON-able; all counts since the device was opened. */
export interface DeviceStats {
  readonly tiers: Readonly<Record<Tier, TierStats>>;
  readonly reads: number;
  readonly readBytes: number;
  readonly writes: number;
  readonly writtenBytes: number;
  /** Chunks that were not in memory and were fetched for this device, and their bytes. */
  readonly chunksFetched: number;
  readonly bytesFetched: number;
  /** Of them, chunks fetched ahead of any read, and those of these that were read later. */
  readonly chunksPrefetched: number;
  readonly prefetchedUsed: number;
  readonly failedReads: number;
  /** Of the last of them. */
  readonly lastFailure?: ErrorCode | undefined;
  readonly overlayBytes: number;
}

/** Counts what one device does, without allocating; `stats` makes it readable. */
export class DeviceCounters {
  /** The time of the request being served, monotonic milliseconds. */
  nowMs = 0;
  #farthest = 0;
  #writes = 0;
  #writtenBytes = 0;
  #chunksFetched = 0;
  #bytesFetched = 0;
  #chunksPrefetched = 0;
  #prefetchedUsed = 0;
  #failedReads = 0;
  #lastFailure: ErrorCode | undefined;
  readonly #reads = new Float64Array(TIERS.length);
  readonly #bytes = new Float64Array(TIERS.length);
  readonly #latency = new Float64Array(TIERS.length * BUCKETS);

  /** A read starts; `farthest` is the tier that it has waited for already, if any. */
  begin(nowMs: number, farthest: Tier = 'zero'): void {
    this.nowMs = nowMs;
    this.#farthest = TIERS.indexOf(farthest);
  }

  used(tier: Tier): void {
    const index = TIERS.indexOf(tier);
    if (index > this.#farthest) this.#farthest = index;
  }

  /** A read was answered `latencyMs` after it arrived. */
  read(bytes: number, latencyMs: number): void {
    const tier = this.#farthest;
    this.#reads[tier]! += 1;
    this.#bytes[tier]! += bytes;
    const bucket = Math.min(BUCKETS - 1, 32 - Math.clz32(latencyMs * 1000));
    this.#latency[tier * BUCKETS + bucket]! += 1;
  }

  wrote(bytes: number): void {
    this.#writes++;
    this.#writtenBytes += bytes;
  }

  fetched(bytes: number): void {
    this.#chunksFetched++;
    this.#bytesFetched += bytes;
  }

  prefetched(): void {
    this.#chunksPrefetched++;
  }

  usedPrefetched(): void {
    this.#prefetchedUsed++;
  }

  failed(error: unknown): void {
    this.#failedReads++;
    this.#lastFailure = toSluiceError(error).code;
  }

  stats(overlayBytes: number): DeviceStats {
    const tiers = TIERS.map((tier, index): [Tier, TierStats] => [
      tier,
      {
        reads: this.#reads[index]!,
        bytes: this.#bytes[index]!,
        latencyUs: [...this.#latency.subarray(index * BUCKETS, (index + 1) * BUCKETS)],
      },
    ]);
    return {
      tiers: Object.fromEntries(tiers) as Record<Tier, TierStats>,
      reads: this.#reads.reduce((sum, each) => sum + each, 0),
      readBytes: this.#bytes.reduce((sum, each) => sum + each, 0),
      writes: this.#writes,
      writtenBytes: this.#writtenBytes,
      chunksFetched: this.#chunksFetched,
      bytesFetched: this.#bytesFetched,
      chunksPrefetched: this.#chunksPrefetched,
      prefetchedUsed: this.#prefetchedUsed,
      failedReads: this.#failedReads,
      lastFailure: this.#lastFailure,
      overlayBytes,
    };
  }
}
