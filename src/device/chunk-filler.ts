import {
  CHUNK_SIZE_BYTES,
  type Clock,
  limits,
  Semaphore,
  SluiceError,
  toSluiceError,
  withDeadline,
} from '../base/mod.ts';
import type { ChunkName, ChunkRef, ChunkSource } from '../seal/mod.ts';
import type { Tier } from './device-counters.ts';
import type { LoopCommand } from './messages.ts';

export interface ChunkFillerOptions {
  /** The shared slots, the same bytes that the loop's thread reads. */
  readonly memoryBytes: Buffer;
  readonly source: ChunkSource;
  /** Which tier the last `get` of a chunk was answered by. */
  readonly tierOf: (name: ChunkName) => Tier;
  readonly clock: Clock;
  /** Hands a command to the loop's thread and rings its doorbell. */
  readonly command: (command: LoopCommand) => void;
}

/**
 * Brings chunks into slots of the memory tier, from the thread that may wait: any number at once
 * up to a limit, each within a deadline, so that no read of a device hangs.
 */
export class ChunkFiller {
  readonly #options: ChunkFillerOptions;
  readonly #inFlight = new Semaphore(limits.device.missesInFlight);

  constructor(options: ChunkFillerOptions) {
    this.#options = options;
  }

  /** Never rejects: a failure is the loop's to answer. */
  async fill(slot: number, ref: ChunkRef): Promise<void> {
    const { command, tierOf } = this.#options;
    try {
      await this.#copyInto(slot, ref);
      command({ type: 'filled', slot, tier: tierOf(ref.name) });
    } catch (error) {
      tierOf(ref.name);
      const { code, message } = toSluiceError(error);
      command({ type: 'unfilled', slot, failure: { code, message } });
    }
  }

  async #copyInto(slot: number, ref: ChunkRef): Promise<void> {
    const { source, clock, memoryBytes } = this.#options;
    const chunk = await this.#inFlight.run(() =>
      withDeadline(clock, limits.device.fetchTimeoutMs, `chunk ${ref.name}`, (signal) =>
        source.get(ref, signal),
      ),
    );
    if (chunk.length !== CHUNK_SIZE_BYTES) {
      throw new SluiceError('CHUNK_CORRUPT', `${ref.name}: ${chunk.length} bytes long`);
    }
    chunk.copy(memoryBytes, slot * CHUNK_SIZE_BYTES);
  }
}
