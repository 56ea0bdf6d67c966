import { SluiceError } from '../base/mod.ts';

export interface DiskPromisesOptions {
  /** What all sandboxes' `/tmp` may fill together. */
  readonly budgetBytes: number;
  /** The disk is about full, whoever filled it. */
  readonly isLow: () => boolean;
}

/**
 * Room for sandboxes' `/tmp`, promised before they start: a start that finds no room is
 * refused, so that no sandbox finds the disk full below what it was told it has.
 */
export class DiskPromises {
  readonly #options: DiskPromisesOptions;
  #promisedBytes = 0;

  constructor(options: DiskPromisesOptions) {
    this.#options = options;
  }

  get promisedBytes(): number {
    return this.#promisedBytes;
  }

  /** Answers what gives the room back. Throws `START_LIMIT_EXCEEDED`, its `limit` `disk`. */
  take(what: string, bytes: number): () => void {
    const { budgetBytes, isLow } = this.#options;
    if (isLow() || this.#promisedBytes + bytes > budgetBytes) {
      throw new SluiceError(
        'START_LIMIT_EXCEEDED',
        `${what}: the disk has no room for another /tmp of ${bytes} bytes`,
        { data: { reason: 'ConcurrentInvocationLimitExceeded', limit: 'disk' } },
      );
    }
    this.#promisedBytes += bytes;
    let held = true;
    return () => {
      if (held) this.#promisedBytes -= bytes;
      held = false;
    };
  }
}
