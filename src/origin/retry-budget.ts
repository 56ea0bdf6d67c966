export interface RetryBudgetOptions {
  readonly tokensMax: number;
  /** What a success earns: of a first try, and of one that failed before, which shows a recovery. */
  readonly perSuccess: number;
  readonly perRecovery: number;
  /** What time earns, so that a store that was down is asked again. */
  readonly perSecond: number;
}

/**
 * Tokens that retries spend, and time and successes earn back: however many callers wait, a store
 * that is down sees few tries a second, and one that is back gets all of them at once.
 */
export class RetryBudget {
  readonly #options: RetryBudgetOptions;
  #tokens: number;
  #atMs: number;

  constructor(options: RetryBudgetOptions, nowMs: number) {
    this.#options = options;
    this.#tokens = options.tokensMax;
    this.#atMs = nowMs;
  }

  earn(recovered: boolean): void {
    const { perSuccess, perRecovery } = this.#options;
    this.#add(recovered ? perRecovery : perSuccess);
  }

  trySpend(nowMs: number): boolean {
    this.#add(((nowMs - this.#atMs) / 1000) * this.#options.perSecond);
    this.#atMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  #add(tokens: number): void {
    this.#tokens = Math.min(this.#options.tokensMax, this.#tokens + tokens);
  }
}
