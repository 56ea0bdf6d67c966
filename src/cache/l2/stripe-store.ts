import {
  type Clock,
  type Counter,
  type Gauge,
  type Logger,
  limits,
  type Meter,
  Semaphore,
  systemErrorCode,
} from '../../base/mod.ts';
import { LruK } from './lru-k.ts';
import type { Slab, SlabEntry } from './slab.ts';
import { type StripeKey, stripeId } from './stripe-key.ts';

export interface StripeStoreOptions {
  readonly memoryBytes: number;
  readonly slab: Slab;
  /** What the slab held when it was opened. */
  readonly entries: ReadonlyMap<number, SlabEntry>;
  readonly clock: Clock;
  readonly meter: Meter;
  readonly logger: Logger;
}

/** A stripe's place in the slab; `entry` is undefined while it is being written. */
interface FlashPlace {
  slot: number;
  entry: SlabEntry | undefined;
}

/**
 * A cache node's two tiers: stripes in memory above stripes in a slab file, each evicting by LRU-2.
 * A put is answered from memory and written to flash behind it, at most `flashWritesWaiting` of
 * them; past that, or while the disk is full, stripes live in memory alone.
 */
export class StripeStore {
  readonly #memory: LruK<string, Buffer>;
  readonly #flash: LruK<string, FlashPlace>;
  readonly #freeSlots: number[] = [];
  readonly #writing = new Map<string, Buffer>();
  readonly #reads = new Semaphore(limits.l2.flashReadsAtOnce, limits.l2.flashReadsWaiting);
  readonly #writes = new Semaphore(1);
  readonly #slab: Slab;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #bytes: Gauge;
  readonly #flashErrors: Counter;
  #flashRestsUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: StripeStoreOptions) {
    const { slab, entries, memoryBytes, clock, meter, logger } = options;
    this.#slab = slab;
    this.#clock = clock;
    this.#logger = logger;
    const memoryStripes = Math.ceil(memoryBytes / slab.slotBytes);
    this.#memory = new LruK({ limitBytes: memoryBytes, historyKeys: memoryStripes });
    this.#flash = new LruK({ limitBytes: slab.slotCount, historyKeys: slab.slotCount });
    const now = clock.monotonicMs();
    for (const [slot, entry] of entries) {
      const id = stripeId(entry.key);
      if (this.#flash.peek(id)) this.#freeSlots.push(slot);
      else this.#flash.set(id, { slot, entry }, 1, now);
    }
    for (let slot = slab.slotCount - 1; slot >= 0; slot--) {
      if (!entries.has(slot)) this.#freeSlots.push(slot);
    }
    this.#bytes = meter.gauge('sluice_l2_node_bytes', 'Bytes of stripes held', ['tier']);
    this.#flashErrors = meter.counter(
      'sluice_l2_node_flash_errors_total',
      'Slab reads and writes that failed, or that read something else than was written',
      ['kind'],
    );
    this.#report();
  }

  /** Stripes on flash, those being written included. */
  get flashStripes(): number {
    return this.#flash.size;
  }

  /** Whether flash is left alone after a failed write. */
  get degraded(): boolean {
    return this.#clock.monotonicMs() < this.#flashRestsUntilMs;
  }

  /** The stripe if memory holds it. */
  getFromMemory(id: string): Buffer | undefined {
    const now = this.#clock.monotonicMs();
    const stripe = this.#memory.get(id, now);
    if (stripe) this.#flash.get(id, now);
    return stripe ?? this.#writing.get(id);
  }

  /** The stripe if flash holds it; rejects with `OVERLOADED` when too many reads wait. */
  async getFromFlash(id: string): Promise<Buffer | undefined> {
    if (!this.#flash.peek(id)?.entry) return undefined;
    return await this.#reads.run(async () => {
      const place = this.#flash.get(id, this.#clock.monotonicMs());
      if (!place?.entry) return this.#writing.get(id);
      const stripe = await this.#slab.read(place.slot, place.entry).catch((error: unknown) => {
        this.#logger.warn({ error, stripe: id }, 'flash read failed');
        return undefined;
      });
      if (stripe) this.#memory.set(id, stripe, stripe.length, this.#clock.monotonicMs());
      // A slot that another stripe was given meanwhile is no fault of the disk.
      else if (this.#flash.peek(id) === place) {
        this.#flashErrors.add(1, { kind: 'read' });
        this.#dropFromFlash(id);
      }
      return stripe;
    });
  }

  /** Takes ownership of `stripe`. Answers whether it was new. */
  put(key: StripeKey, stripe: Buffer): boolean {
    const id = stripeId(key);
    const now = this.#clock.monotonicMs();
    const known = this.#memory.get(id, now) !== undefined || this.#flash.peek(id) !== undefined;
    if (known) {
      this.#flash.get(id, now);
      return false;
    }
    this.#memory.set(id, stripe, stripe.length, now);
    const room = this.#writing.size < limits.l2.flashWritesWaiting;
    if (room && !this.degraded && stripe.length <= this.#slab.slotBytes) {
      this.#writing.set(id, stripe);
      void this.#writes.run(() => this.#writeToFlash(key, id, stripe));
    }
    this.#report();
    return true;
  }

  delete(id: string): boolean {
    const inMemory = this.#memory.delete(id) !== undefined;
    const onFlash = this.#flash.peek(id) !== undefined;
    this.#writing.delete(id);
    if (onFlash) this.#dropFromFlash(id);
    this.#report();
    return inMemory || onFlash;
  }

  /** Waits until what is being written is on flash, then closes the slab. */
  async close(): Promise<void> {
    await this.#writes.run(async () => {});
    await this.#slab.close();
  }

  async #writeToFlash(key: StripeKey, id: string, stripe: Buffer): Promise<void> {
    if (this.#writing.get(id) !== stripe || this.degraded) {
      this.#writing.delete(id);
      return;
    }
    const place: FlashPlace = { slot: -1, entry: undefined };
    for (const [, evicted] of this.#flash.set(id, place, 1, this.#clock.monotonicMs())) {
      if (evicted.slot >= 0) this.#freeSlots.push(evicted.slot);
    }
    const slot = this.#freeSlots.pop();
    if (slot === undefined) {
      this.#flash.delete(id);
      this.#writing.delete(id);
      return;
    }
    place.slot = slot;
    try {
      place.entry = await this.#slab.write(slot, key, stripe);
    } catch (error) {
      this.#restFlash(error);
      if (this.#flash.peek(id) === place) this.#dropFromFlash(id);
    }
    this.#writing.delete(id);
    this.#report();
  }

  #dropFromFlash(id: string): void {
    const place = this.#flash.delete(id);
    if (!place || place.slot < 0) return;
    const { slot } = place;
    void this.#writes.run(async () => {
      await this.#slab.clear(slot).catch((error: unknown) => this.#restFlash(error));
      this.#freeSlots.push(slot);
    });
  }

  #restFlash(error: unknown): void {
    this.#flashErrors.add(1, { kind: 'write' });
    this.#flashRestsUntilMs = this.#clock.monotonicMs() + limits.l2.flashRetryMs;
    const reason = systemErrorCode(error) ?? 'unknown';
    this.#logger.warn({ reason }, 'flash cannot be written; new stripes stay in memory alone');
  }

  #report(): void {
    this.#bytes.set(this.#memory.sizeBytes, { tier: 'memory' });
    this.#bytes.set(this.#flash.size * this.#slab.slotBytes, { tier: 'flash' });
  }
}
