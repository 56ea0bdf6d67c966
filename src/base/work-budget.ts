import type { Clock, Timer } from './clock.ts';

export interface WorkBudgetOptions {
  readonly clock: Clock;
  /** What may be used at once, after a rest. */
  readonly units: number;
  readonly unitsPerSecond: number;
}

/**
 * What one party may have done for it: a bucket of units that fills with time. Work whose size shows
 * only afterwards is still spent, and the debt is waited out before the next.
 */
export class WorkBudget {
  readonly #clock: Clock;
  readonly #units: number;
  readonly #unitsPerMs: number;
  #left: number;
  #atMs: number;
  #timer: Timer | undefined;
  #waiting: (() => void)[] = [];

  constructor({ clock, units, unitsPerSecond }: WorkBudgetOptions) {
    this.#clock = clock;
    this.#units = units;
    this.#unitsPerMs = unitsPerSecond / 1000;
    this.#left = units;
    this.#atMs = clock.monotonicMs();
  }

  /** Whether nothing is left. */
  get isSpent(): boolean {
    if (this.#left > 0) return false;
    const nowMs = this.#clock.monotonicMs();
    this.#left = Math.min(this.#units, this.#left + (nowMs - this.#atMs) * this.#unitsPerMs);
    this.#atMs = nowMs;
    return this.#left <= 0;
  }

  spend(units: number): void {
    if (this.#left >= this.#units) this.#atMs = this.#clock.monotonicMs();
    this.#left -= units;
  }

  /** Calls back once something is left: at once, or when debts are paid. */
  whenLeft(callback: () => void): void {
    if (!this.isSpent) {
      callback();
      return;
    }
    this.#waiting.push(callback);
    this.#wait();
  }

  left(): Promise<void> {
    return new Promise((resolve) => this.whenLeft(resolve));
  }

  /** Lets all who wait go on, since it no longer matters. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const callback of this.#waiting.splice(0)) callback();
  }

  #wait(): void {
    const dueMs = Math.floor(-this.#left / this.#unitsPerMs) + 1;
    this.#timer ??= this.#clock.setTimer(dueMs, () => {
      this.#timer = undefined;
      this.#next();
    });
  }

  /** One after the other, for each may use up what is left. */
  #next(): void {
    while (this.#waiting.length > 0 && !this.isSpent) this.#waiting.shift()?.();
    if (this.#waiting.length > 0) this.#wait();
  }
}
