import {
  BoundedQueue,
  type Clock,
  limits,
  type Meter,
  noMeter,
  type Timer,
} from '../../base/mod.ts';
import type { ChunkName, ChunkRef, ChunkSource, NearChunkSource } from '../../seal/mod.ts';
import type { ChunkSlab } from './chunk-slab.ts';

export interface SlabTierOptions {
  readonly slab: Pick<ChunkSlab, 'readIntoSync' | 'readInto' | 'put'>;
  readonly clock: Clock;
  readonly meter?: Meter;
}

interface Offered {
  readonly name: ChunkName;
  readonly bytes: Buffer;
}

/**
 * The worker's slab before farther tiers: what it has is read in the caller's thread, and what they
 * answer is kept in it, later: once no chunk has come for a moment, so that a start has the
 * processor and the disk to itself. Where more comes than may wait in memory, it is written at once,
 * and further chunks are asked for as the disk takes them: so the next start finds them all. A disk
 * that takes none in a moment is not waited for, and what it does not take is dropped.
 */
export class SlabTier implements NearChunkSource {
  readonly #slab: SlabTierOptions['slab'];
  readonly #clock: Clock;
  readonly #countGet: (outcome: 'hit' | 'miss') => void;
  readonly #countPut: (outcome: 'stored' | 'present' | 'skipped') => void;
  readonly #offered = new BoundedQueue<Offered>(limits.cache.slabWritesWaiting);
  #quietTimer: Timer | undefined;
  #writing = false;
  /** Chunks that are asked for and have a place in the line. */
  #coming = 0;
  readonly #waiting = new Set<() => void>();

  constructor({ slab, clock, meter = noMeter }: SlabTierOptions) {
    this.#slab = slab;
    this.#clock = clock;
    const by = ['outcome'];
    const gets = meter.counter('sluice_slab_gets_total', 'Reads from the slab, by outcome.', by);
    const help = 'Chunks offered to the slab, by outcome.';
    const puts = meter.counter('sluice_slab_puts_total', help, by);
    this.#countGet = (outcome) => gets.add(1, { outcome });
    this.#countPut = (outcome) => puts.add(1, { outcome });
  }

  readIntoSync(ref: ChunkRef, into: Buffer): boolean {
    const isHit = this.#slab.readIntoSync(ref.name, into);
    this.#countGet(isHit ? 'hit' : 'miss');
    return isHit;
  }

  async readInto(ref: ChunkRef, into: Buffer): Promise<boolean> {
    const isHit = await this.#slab.readInto(ref.name, into);
    this.#countGet(isHit ? 'hit' : 'miss');
    return isHit;
  }

  /** The same source, with what it answers kept in the slab. */
  keeping(source: ChunkSource): ChunkSource {
    return {
      get: async (ref, signal) => {
        if (this.#isFull) await this.#room();
        else this.#coming++;
        try {
          const bytes = await source.get(ref, signal);
          this.#offer({ name: ref.name, bytes });
          return bytes;
        } finally {
          this.#coming--;
          this.#admit();
        }
      },
    };
  }

  get #isFull(): boolean {
    return this.#offered.length + this.#coming >= limits.cache.slabWritesWaiting;
  }

  /** Waits for a place in the line, but not long, and takes one. */
  async #room(): Promise<void> {
    const place = new Promise<void>((resolve) => {
      const take = () => {
        timer.cancel();
        this.#waiting.delete(take);
        this.#coming++;
        resolve();
      };
      const timer = this.#clock.setTimer(limits.cache.slabRoomMs, take);
      this.#waiting.add(take);
    });
    this.#write();
    await place;
  }

  /** Gives the places that are free to those who wait. */
  #admit(): void {
    for (const take of this.#waiting) {
      if (this.#isFull) return;
      take();
    }
  }

  #offer(chunk: Offered): void {
    const { slabWritesWaiting, slabQuietMs } = limits.cache;
    if (this.#offered.length >= slabWritesWaiting) {
      this.#countPut('skipped');
      return;
    }
    this.#offered.push(chunk);
    this.#quietTimer?.cancel();
    const isPressing = this.#waiting.size > 0 || this.#offered.length > slabWritesWaiting / 2;
    if (isPressing) this.#write();
    else this.#quietTimer = this.#clock.setTimer(slabQuietMs, () => this.#write());
  }

  /** One at a time, until none is left. */
  #write(): void {
    if (this.#writing) return;
    this.#writing = true;
    const done = () => {
      this.#writing = false;
      // Offered between the last look and now: nobody else would come for it.
      if (this.#offered.length > 0) this.#write();
    };
    this.#writeAll().then(done, done);
  }

  async #writeAll(): Promise<void> {
    for (let next = this.#offered.shift(); next; next = this.#offered.shift()) {
      const outcome = await this.#slab.put(next.name, next.bytes).catch(() => 'skipped' as const);
      this.#countPut(outcome);
      this.#admit();
    }
  }
}
