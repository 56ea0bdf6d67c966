/**
 * Whose records of failed events go when there are too many: the oldest of the account that has most,
 * so that one whose events all fail pushes out its own.
 */
export class FailureShares {
  readonly #most: number;
  readonly #counts = new Map<string, number>();
  #total = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Starts over from what is there. */
  reset(counts: Iterable<readonly [accountId: string, count: number]>): void {
    this.#counts.clear();
    this.#total = 0;
    for (const [accountId, count] of counts) {
      this.#counts.set(accountId, count);
      this.#total += count;
    }
  }

  /** One more of an account; answers the account whose oldest has to go, if one has to. */
  add(accountId: string): string | undefined {
    this.#change(accountId, 1);
    if (this.#total <= this.#most) return undefined;
    const [fullest] = [...this.#counts].reduce((a, b) => (b[1] > a[1] ? b : a));
    this.#change(fullest, -1);
    return fullest;
  }

  #change(accountId: string, by: number): void {
    const count = (this.#counts.get(accountId) ?? 0) + by;
    if (count === 0) this.#counts.delete(accountId);
    else this.#counts.set(accountId, count);
    this.#total += by;
  }
}
