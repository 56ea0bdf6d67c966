import { type Clock, type Logger, limits, type Timer } from '../base/mod.ts';

/** The host's memory, `/proc/meminfo` as a rule. */
export interface HostMemory {
  availableBytes(): Promise<number>;
}

export interface MemoryWatchOptions {
  readonly memory: HostMemory;
  /** Below this much available memory, idle sandboxes go. */
  readonly lowBytes: number;
  /** Ends up to that many idle sandboxes, longest unused first. */
  readonly reclaim: (count: number) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How many idle sandboxes have to go to have `lowBytes` again, going by a typical one's size. */
export function reclaimCount(availableBytes: number, lowBytes: number): number {
  const lackBytes = Math.max(0, lowBytes - availableBytes);
  return Math.ceil(lackBytes / limits.worker.idleSandboxBytes);
}

/** Takes memory back from idle sandboxes before the kernel has to take it from somebody. */
export class MemoryWatch {
  readonly #options: MemoryWatchOptions;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: MemoryWatchOptions) {
    this.#options = options;
    this.#sleep();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #sleep(): void {
    if (this.#closed) return;
    const { clock } = this.#options;
    this.#timer = clock.setTimer(limits.worker.memoryWatchMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { memory, lowBytes, reclaim, logger } = this.#options;
    try {
      const availableBytes = await memory.availableBytes();
      const count = reclaimCount(availableBytes, lowBytes);
      if (count > 0) {
        logger.warn({ availableBytes, lowBytes, count }, 'memory is short: idle sandboxes go');
        reclaim(count);
      }
    } catch (error) {
      logger.error({ error }, 'the host’s memory cannot be read');
    }
    this.#sleep();
  }
}
