import { limits, SluiceError } from '../base/mod.ts';

export interface DiskPromisesOptions {
  /** What all sandboxes' `/tmp` may fill together. */
  readonly budgetBytes: number;
  /** What those of one account may; `limits.shares` of the budget when left out. */
  readonly accountBytes?: number;
  /** The disk is about full, whoever filled it. */
  readonly isLow: () => boolean;
}

/**
 * Room for sandboxes' `/tmp`, promised before they start: a start that finds no room is
 * refused, so that no sandbox finds the disk full below what it was told it has. One account
 * never holds all of it.
 */
export class DiskPromises {
  readonly #options: DiskPromisesOptions;
  readonly #byAccount = new Map<string, number>();
  #promisedBytes = 0;

  constructor(options: DiskPromisesOptions) {
    this.#options = options;
  }

  get promisedBytes(): number {
    return this.#promisedBytes;
  }

  /** Answers what gives the room back. Throws `START_LIMIT_EXCEEDED`, its `limit` `disk`. */
  take(what: string, accountId: string, bytes: number): () => void {
    const { budgetBytes, isLow } = this.#options;
    const share = Math.floor(budgetBytes * limits.shares.scratchPartPerAccount);
    const { accountBytes = share } = this.#options;
    const held = this.#byAccount.get(accountId) ?? 0;
    const isFull = isLow() || this.#promisedBytes + bytes > budgetBytes;
    if (isFull || held + bytes > accountBytes) {
      const whose = isFull ? 'the disk has' : 'the account’s share of the disk has';
      throw new SluiceError(
        'START_LIMIT_EXCEEDED',
        `${what}: ${whose} no room for another /tmp of ${bytes} bytes`,
        { data: { reason: 'ConcurrentInvocationLimitExceeded', limit: 'disk' } },
      );
    }
    this.#add(accountId, bytes);
    let isHeld = true;
    return () => {
      if (isHeld) this.#add(accountId, -bytes);
      isHeld = false;
    };
  }

  #add(accountId: string, bytes: number): void {
    this.#promisedBytes += bytes;
    const held = (this.#byAccount.get(accountId) ?? 0) + bytes;
    if (held > 0) this.#byAccount.set(accountId, held);
    else this.#byAccount.delete(accountId);
  }
}
