import { SluiceError, toSluiceError } from '../base/mod.ts';
import type { OpenDevice } from './types.ts';

/** Tells a function that failed from one whose disk failed it: a chunk damaged or out of reach, a dead agent. */
export class DiskFaults {
  readonly #sandboxId: string;
  readonly #device: Pick<OpenDevice, 'stats'>;
  #seen = 0;

  constructor(sandboxId: string, device: Pick<OpenDevice, 'stats'>) {
    this.#sandboxId = sandboxId;
    this.#device = device;
  }

  /** The error of reads that failed since this was asked last, if any did. */
  async last(): Promise<SluiceError | undefined> {
    try {
      const { failedReads, lastFailure = 'INTERNAL' } = await this.#device.stats();
      if (failedReads === this.#seen) return undefined;
      const reads = failedReads - this.#seen;
      this.#seen = failedReads;
      return new SluiceError(lastFailure, `${this.#sandboxId}: ${reads} reads of its disk failed`);
    } catch (error) {
      return toSluiceError(error);
    }
  }
}
