import { assert } from '../../base/mod.ts';
import type { ChunkName } from '../../seal/mod.ts';

/** The share of loads that a cache of `sizeBytes` would have missed. */
export interface MissRatioPoint {
  readonly sizeBytes: number;
  readonly missShare: number;
}

const HASH_SPACE = 2 ** 32;
const POSITIONS_MIN = 1024;

/**
 * The miss ratio of every cache size at once, from one pass over a trace: Mattson's stack algorithm
 * (Mattson et al., IBM Systems Journal 1970) over reuse distances in bytes. With `sampleShare`
 * under 1 only chunks whose hash is under that share are followed and distances are scaled up
 * (SHARDS: Waldspurger et al., FAST'15), so that traces of any length take bounded memory for each
 * chunk that is followed. The curve is that of LRU; LRU-2 stays at or below it where scans occur.
 */
export class MissRatioCurve {
  readonly #sampleShare: number;
  readonly #threshold: number;
  readonly #chunkBytes: number;
  /** Position of each followed chunk's last load in the order of loads. */
  readonly #lastLoad = new Map<ChunkName, number>();
  #tree = new CountTree(POSITIONS_MIN);
  #nextPosition = 0;
  /** Loads by reuse distance in followed chunks; first loads have none. */
  readonly #distances = new Map<number, number>();
  #loads = 0;
  #followedLoads = 0;

  constructor({ chunkBytes, sampleShare = 1 }: { chunkBytes: number; sampleShare?: number }) {
    assert(sampleShare > 0 && sampleShare <= 1, 'a sample is a share of the chunks');
    this.#chunkBytes = chunkBytes;
    this.#sampleShare = sampleShare;
    this.#threshold = sampleShare * HASH_SPACE;
  }

  get loads(): number {
    return this.#loads;
  }

  get followedChunks(): number {
    return this.#lastLoad.size;
  }

  /** One load. A chunk's name is a hash already, so it decides what is answered: is it followed? */
  add(chunkName: ChunkName): boolean {
    this.#loads++;
    if (Number.parseInt(chunkName.slice(0, 8), 16) >= this.#threshold) return false;
    this.#followedLoads++;
    if (this.#nextPosition === this.#tree.capacity) this.#compact();
    const before = this.#lastLoad.get(chunkName);
    if (before !== undefined) {
      // Distinct chunks since then, itself included: the smallest LRU stack that holds it.
      const distance = this.#tree.sumFrom(before);
      this.#distances.set(distance, (this.#distances.get(distance) ?? 0) + 1);
      this.#tree.add(before, -1);
    }
    this.#lastLoad.set(chunkName, this.#nextPosition);
    this.#tree.add(this.#nextPosition, 1);
    this.#nextPosition++;
    return true;
  }

  /** From size 0 (all missed) up to the size beyond which only first loads are missed. */
  points(): MissRatioPoint[] {
    const byDistance = [...this.#distances].sort(([a], [b]) => a - b);
    // What sampling took too many or too few of went, if anywhere, to the shortest distances.
    const expected = this.#loads * this.#sampleShare;
    let hits = expected - this.#followedLoads;
    const points: MissRatioPoint[] = [{ sizeBytes: 0, missShare: 1 }];
    if (expected === 0) return points;
    for (const [distance, loads] of byDistance) {
      hits += loads;
      const missShare = Math.min(1, Math.max(0, 1 - hits / expected));
      points.push({ sizeBytes: (distance / this.#sampleShare) * this.#chunkBytes, missShare });
    }
    return points;
  }

  /** Positions are dense again, so the tree is as large as the chunks and not as the trace. */
  #compact(): void {
    const inOrder = [...this.#lastLoad].sort(([, a], [, b]) => a - b);
    this.#tree = new CountTree(Math.max(POSITIONS_MIN, 2 * inOrder.length));
    for (const [position, [chunkName]] of inOrder.entries()) {
      this.#lastLoad.set(chunkName, position);
      this.#tree.add(position, 1);
    }
    this.#nextPosition = inOrder.length;
  }
}

/** A Fenwick tree of counts by position. */
class CountTree {
  readonly capacity: number;
  readonly #sums: Int32Array;
  #total = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#sums = new Int32Array(capacity + 1);
  }

  add(position: number, count: number): void {
    this.#total += count;
    for (let at = position + 1; at <= this.capacity; at += at & -at) this.#sums[at]! += count;
  }

  /** The counts at `position` and after. */
  sumFrom(position: number): number {
    let before = 0;
    for (let at = position; at > 0; at -= at & -at) before += this.#sums[at]!;
    return this.#total - before;
  }
}
