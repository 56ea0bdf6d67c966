import { assert } from '../../base/mod.ts';

export interface LruKOptions {
  readonly limitBytes: number;
  /** How many evicted keys keep their reference times, so that a second use is known as such. */
  readonly historyKeys: number;
  /** Uses closer together than this are one use, the burst of one start; default 0. */
  readonly correlatedMs?: number;
}

interface Entry<Key, Value> {
  readonly key: Key;
  readonly value: Value;
  readonly sizeBytes: number;
  /** The last use. */
  latestMs: number;
  /** The end of the burst of uses before that: what LRU-2 evicts by; -Infinity without one. */
  previousMs: number;
  heapIndex: number;
}

/**
 * A byte-limited map that evicts by LRU-K with K = 2 (O'Neil, O'Neil and Weikum, SIGMOD'93): first
 * the entry whose last but one use is longest ago. One that was used once only has no such use and
 * goes before all others, so a scan, or a storm of functions that each run once, passes through
 * without evicting what is used again and again (ATC'23 section 4.3). Pure: time is an argument.
 */
export class LruK<Key, Value> {
  readonly #limitBytes: number;
  readonly #historyKeys: number;
  readonly #correlatedMs: number;
  readonly #entries = new Map<Key, Entry<Key, Value>>();
  /** A binary heap, the next victim on top. */
  readonly #heap: Entry<Key, Value>[] = [];
  /** The last use of evicted keys, the longest evicted first. */
  readonly #history = new Map<Key, number>();
  #sizeBytes = 0;

  constructor({ limitBytes, historyKeys, correlatedMs = 0 }: LruKOptions) {
    this.#limitBytes = limitBytes;
    this.#historyKeys = historyKeys;
    this.#correlatedMs = correlatedMs;
  }

  get size(): number {
    return this.#entries.size;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Looks without using. */
  peek(key: Key): Value | undefined {
    return this.#entries.get(key)?.value;
  }

  /** The value, and one use of it. */
  get(key: Key, nowMs: number): Value | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    if (nowMs - entry.latestMs >= this.#correlatedMs) entry.previousMs = entry.latestMs;
    entry.latestMs = nowMs;
    this.#settle(entry.heapIndex);
    return entry.value;
  }

  /**
   * Adds or replaces, which is one use, and answers what had to go; the new one itself is among it
   * when it is larger than the limit.
   */
  set(key: Key, value: Value, sizeBytes: number, nowMs: number): [Key, Value][] {
    if (sizeBytes > this.#limitBytes) return [[key, value]];
    const before = this.#entries.get(key);
    const previousMs = before?.latestMs ?? this.#history.get(key) ?? Number.NEGATIVE_INFINITY;
    if (before) this.#remove(before);
    this.#history.delete(key);
    const evicted = this.#makeRoom(sizeBytes);
    const heapIndex = this.#heap.length;
    const entry = { key, value, sizeBytes, latestMs: nowMs, previousMs, heapIndex };
    this.#entries.set(key, entry);
    this.#heap.push(entry);
    this.#sizeBytes += sizeBytes;
    this.#settle(entry.heapIndex);
    return evicted;
  }

  delete(key: Key): Value | undefined {
    const entry = this.#entries.get(key);
    if (entry) this.#remove(entry);
    return entry?.value;
  }

  keys(): IterableIterator<Key> {
    return this.#entries.keys();
  }

  #makeRoom(sizeBytes: number): [Key, Value][] {
    const evicted: [Key, Value][] = [];
    while (this.#sizeBytes + sizeBytes > this.#limitBytes) {
      const victim = this.#heap[0];
      assert(victim, 'an empty cache has room for what its limit admits');
      this.#remove(victim);
      this.#remember(victim);
      evicted.push([victim.key, victim.value]);
    }
    return evicted;
  }

  #remember(entry: Entry<Key, Value>): void {
    if (this.#historyKeys === 0) return;
    this.#history.set(entry.key, entry.latestMs);
    if (this.#history.size <= this.#historyKeys) return;
    const oldest = this.#history.keys().next();
    if (!oldest.done) this.#history.delete(oldest.value);
  }

  #remove(entry: Entry<Key, Value>): void {
    this.#entries.delete(entry.key);
    this.#sizeBytes -= entry.sizeBytes;
    const last = this.#heap.pop()!;
    if (last === entry) return;
    this.#place(last, entry.heapIndex);
    this.#settle(entry.heapIndex);
  }

  /** Moves the entry at `index` up or down to where the heap's order wants it. */
  #settle(index: number): void {
    const entry = this.#heap[index]!;
    let at = index;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!goesBefore(entry, this.#heap[parent]!)) break;
      this.#place(this.#heap[parent]!, at);
      at = parent;
    }
    for (;;) {
      let child = 2 * at + 1;
      const right = this.#heap[child + 1];
      if (right && goesBefore(right, this.#heap[child]!)) child++;
      const candidate = this.#heap[child];
      if (!candidate || !goesBefore(candidate, entry)) break;
      this.#place(candidate, at);
      at = child;
    }
    this.#place(entry, at);
  }

  #place(entry: Entry<Key, Value>, index: number): void {
    this.#heap[index] = entry;
    entry.heapIndex = index;
  }
}

/** Whether `a` is evicted before `b`: by the last but one use, ties by the last. */
function goesBefore<Key, Value>(a: Entry<Key, Value>, b: Entry<Key, Value>): boolean {
  if (a.previousMs !== b.previousMs) return a.previousMs < b.previousMs;
  return a.latestMs < b.latestMs;
}
