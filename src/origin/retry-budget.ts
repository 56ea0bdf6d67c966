/**
 * Tokens that retries spend and successes earn back: however many callers there are, retries add
 * at most `perSuccess` of the load once the first `tokensMax` are gone, so that they cannot keep a
 * store down that is struggling.
 */
export class RetryBudget {
  readonly #tokensMax: number;
  readonly #perSuccess: number;
  #tokens: number;

  constructor(tokensMax: number, perSuccess: number) {
    this.#tokensMax = tokensMax;
    this.#perSuccess = perSuccess;
    this.#tokens = tokensMax;
  }

  get tokens(): number {
    return this.#tokens;
  }

  earn(): void {
    this.#tokens = Math.min(this.#tokensMax, this.#tokens + this.#perSuccess);
  }

  trySpend(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
