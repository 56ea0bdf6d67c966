import {
  CHUNK_SIZE_BYTES,
  type Clock,
  type Counter,
  type Histogram,
  limits,
  type Meter,
  noMeter,
  Semaphore,
  SluiceError,
  toSluiceError,
  withDeadline,
} from '../base/mod.ts';
import type { ChunkName, ChunkRef, ChunkSource } from '../seal/mod.ts';
import type { Tier } from './device-counters.ts';
import type { LoopCommand, PackedFrame } from './messages.ts';
import { type BroughtChunk, PackOpener } from './pack-opener.ts';

/**
 * The tiers on this host's disk. Both calls fill `into` with the verified chunk and answer which
 * tier had it; undefined when none has.
 */
export interface NearTiers {
  /** In the caller's thread: less work than to wait for another thread, when someone waits. */
  readIntoSync(ref: ChunkRef, into: Buffer): Tier | undefined;
  readInto(ref: ChunkRef, into: Buffer): Promise<Tier | undefined>;
}

/** A chunk that a slot waits for. */
export interface WantedChunk extends ChunkRef {
  readonly slot: number;
  /** Nobody waits for it yet: others go first. */
  readonly ahead: boolean;
  /** What the slot is to hold, where that is no chunk but of a start pack. */
  readonly frames?: readonly PackedFrame[];
}

interface Begun extends WantedChunk {
  readonly sinceMs: number;
}

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30];

export interface ChunkFillerOptions {
  /** The shared slots, the same bytes that the loop's thread reads. */
  readonly memoryBytes: Buffer;
  /** Asked first. */
  readonly near?: NearTiers;
  readonly source: ChunkSource;
  /** Which tier the last `get` of a chunk was answered by. */
  readonly tierOf: (name: ChunkName) => Tier;
  readonly clock: Clock;
  readonly meter?: Meter;
  /** Hands a command to the loop's thread and rings its doorbell. */
  readonly command: (command: LoopCommand) => void;
}

/**
 * Brings chunks into slots of the memory tier, from the thread that may wait: near ones that are
 * waited for at once, those that are not a few at a time behind them; far ones any number up to a
 * limit, each within a deadline, so that no read of a device hangs.
 */
export class ChunkFiller {
  readonly #options: ChunkFillerOptions;
  readonly #inFlight = new Semaphore(limits.device.missesInFlight);
  /** As many as the memory tier has slots, at most. */
  readonly #demanded: Begun[] = [];
  readonly #ahead: Begun[] = [];
  readonly #packs = new PackOpener((ref) => this.#bring(ref));
  /** Buffers for chunks that were not near after all: no more than are asked for at once. */
  readonly #unused: Buffer[] = [];
  readonly #begun: Counter;
  readonly #seconds: Histogram;
  #scheduled = false;
  #aheadNow = 0;

  constructor(options: ChunkFillerOptions) {
    this.#options = options;
    const { meter = noMeter } = options;
    this.#begun = meter.counter(
      'sluice_device_misses_total',
      'Chunks that memory lacked, begun to be fetched; by whether a read waited for them. Those ' +
        'that sluice_device_miss_seconds does not count yet are in flight.',
      ['waited'],
    );
    this.#seconds = meter.histogram(
      'sluice_device_miss_seconds',
      'Time until a chunk that memory lacked lay in it, by the tier that had it, or failed.',
      SECONDS,
      ['tier'],
    );
  }

  /** Answers by a command, later; a failure is the loop's to answer. */
  fill(chunk: WantedChunk): void {
    const wanted = { ...chunk, sinceMs: this.#options.clock.monotonicMs() };
    this.#begun.add(1, { waited: String(!chunk.ahead) });
    if (wanted.frames) {
      this.#fillFromPack(wanted, wanted.frames).catch(() => {});
      return;
    }
    if (!this.#options.near) {
      this.#fillFromFar(wanted).catch(() => {});
      return;
    }
    (wanted.ahead ? this.#ahead : this.#demanded).push(wanted);
    this.#schedule();
  }

  /** One demanded chunk a turn of the event loop, so that the turn can bring others. */
  #schedule(): void {
    const aheadMay = this.#aheadNow < limits.device.nearReadsAhead && this.#ahead.length > 0;
    if (this.#scheduled || !(aheadMay || this.#demanded.length > 0)) return;
    this.#scheduled = true;
    this.#options.clock.soon(() => {
      this.#scheduled = false;
      this.#fillNext();
      this.#schedule();
    });
  }

  #fillNext(): void {
    const wanted = this.#demanded.shift();
    if (wanted) {
      const tier = this.#options.near?.readIntoSync(wanted, this.#slotBytes(wanted.slot));
      this.#settle(wanted, tier);
      return;
    }
    const ahead = this.#ahead.shift();
    if (!ahead) return;
    this.#aheadNow++;
    const done = () => {
      this.#aheadNow--;
      this.#schedule();
    };
    this.#fillAhead(ahead).then(done, done);
  }

  async #fillAhead(wanted: Begun): Promise<void> {
    const into = this.#slotBytes(wanted.slot);
    this.#settle(wanted, await this.#options.near?.readInto(wanted, into));
  }

  #settle(wanted: Begun, tier: Tier | undefined): void {
    if (tier) this.#filled(wanted, tier);
    else this.#fillFromFar(wanted).catch(() => {});
  }

  #filled({ slot, sinceMs }: Begun, tier: Tier): void {
    this.#options.command({ type: 'filled', slot, tier });
    this.#observe(sinceMs, tier);
  }

  #observe(sinceMs: number, tier: Tier | 'failed'): void {
    this.#seconds.observe((this.#options.clock.monotonicMs() - sinceMs) / 1000, { tier });
  }

  #slotBytes(slot: number): Buffer {
    const start = slot * CHUNK_SIZE_BYTES;
    return this.#options.memoryBytes.subarray(start, start + CHUNK_SIZE_BYTES);
  }

  async #fillFromFar(wanted: Begun): Promise<void> {
    const { tierOf } = this.#options;
    const { slot, rootId, name } = wanted;
    try {
      (await this.#get({ rootId, name })).copy(this.#slotBytes(slot));
      this.#filled(wanted, tierOf(name));
    } catch (error) {
      tierOf(name);
      this.#unfilled(wanted, error);
    }
  }

  async #fillFromPack(wanted: Begun, frames: readonly PackedFrame[]): Promise<void> {
    const { slot, rootId } = wanted;
    try {
      this.#filled(wanted, await this.#packs.open(rootId, frames, this.#slotBytes(slot)));
    } catch (error) {
      this.#unfilled(wanted, error);
    }
  }

  async #bring(ref: ChunkRef): Promise<BroughtChunk> {
    const { near, tierOf } = this.#options;
    if (near) {
      const into = this.#unused.pop() ?? Buffer.allocUnsafeSlow(CHUNK_SIZE_BYTES);
      const tier = await near.readInto(ref, into);
      if (tier) return { bytes: into, tier };
      this.#unused.push(into);
    }
    const bytes = await this.#get(ref);
    return { bytes, tier: tierOf(ref.name) };
  }

  #unfilled({ slot, sinceMs }: Begun, error: unknown): void {
    this.#options.command({ type: 'unfilled', slot, failure: toSluiceError(error).toJSON() });
    this.#observe(sinceMs, 'failed');
  }

  async #get(ref: ChunkRef): Promise<Buffer> {
    const { source, clock } = this.#options;
    const chunk = await this.#inFlight.run(() =>
      withDeadline(clock, limits.device.fetchTimeoutMs, `chunk ${ref.name}`, (signal) =>
        source.get(ref, signal),
      ),
    );
    if (chunk.length !== CHUNK_SIZE_BYTES) {
      throw new SluiceError('CHUNK_CORRUPT', `${ref.name}: ${chunk.length} bytes long`);
    }
    return chunk;
  }
}
