/** References closer than this are one: the pages of a chunk are read in a burst. */
export const CORRELATED_MS = 1000;

interface Remembered {
  readonly last: number;
  readonly previous: number;
}

/**
 * LRU-K with K = 2 (O'Neil, O'Neil, Weikum, SIGMOD'93; ATC'23 section 4.3 says why): the victim is
 * the entry whose second last reference is farthest back, so one that was referenced once goes
 * before any that was referenced twice, and a storm of one-off starts cannot push out the hot set.
 * What was evicted is remembered for a while, so that its next reference counts as the second.
 * Entries are small integers; a victim is found by a scan, which at 16 k entries takes 20 µs.
 */
export class SlotReferences {
  readonly #last: Float64Array;
  readonly #previous: Float64Array;
  /** Oldest first, as a Map keeps its order. */
  readonly #remembered = new Map<string, Remembered>();
  readonly #rememberedMax: number;

  constructor(entries: number, rememberedMax = entries) {
    this.#last = new Float64Array(entries).fill(Number.NEGATIVE_INFINITY);
    this.#previous = new Float64Array(entries).fill(Number.NEGATIVE_INFINITY);
    this.#rememberedMax = rememberedMax;
  }

  /** `entry` now stands for `key`, and this is a reference to it. */
  admit(entry: number, key: string, nowMs: number): void {
    const past = this.#remembered.get(key);
    this.#remembered.delete(key);
    this.#last[entry] = past?.last ?? Number.NEGATIVE_INFINITY;
    this.#previous[entry] = past?.previous ?? Number.NEGATIVE_INFINITY;
    this.touch(entry, nowMs);
  }

  touch(entry: number, nowMs: number): void {
    if (nowMs - this.#last[entry]! > CORRELATED_MS) this.#previous[entry] = this.#last[entry]!;
    this.#last[entry] = nowMs;
  }

  /** `entry` stands for nothing any more; what was known of `key` is kept. */
  evict(entry: number, key: string): void {
    this.#remembered.set(key, { last: this.#last[entry]!, previous: this.#previous[entry]! });
    if (this.#remembered.size > this.#rememberedMax) {
      for (const oldest of this.#remembered.keys()) {
        this.#remembered.delete(oldest);
        break;
      }
    }
    this.#last[entry] = Number.NEGATIVE_INFINITY;
    this.#previous[entry] = Number.NEGATIVE_INFINITY;
  }

  /** The entry worth least among those that may go; -1 when none may. */
  victim(mayGo: (entry: number) => boolean): number {
    let worst = -1;
    for (let entry = 0; entry < this.#last.length; entry++) {
      if (!mayGo(entry)) continue;
      if (worst < 0 || this.#isWorse(entry, worst)) worst = entry;
    }
    return worst;
  }

  #isWorse(entry: number, than: number): boolean {
    const difference = this.#previous[entry]! - this.#previous[than]!;
    // Two entries that were referenced once differ by NaN: then the last reference decides.
    if (difference < 0) return true;
    return !(difference > 0) && this.#last[entry]! < this.#last[than]!;
  }
}
