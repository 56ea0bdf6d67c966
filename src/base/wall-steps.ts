import type { Clock } from './clock.ts';

/** Less is how two clocks are read one after the other, and how a time server slews one. */
const STEP_MS = 1000;

/**
 * Finds out when the wall clock was set, by the monotonic one. What is kept by the wall clock and means
 * a duration has to be moved with it.
 */
export class WallSteps {
  readonly #clock: Clock;
  #aheadMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#aheadMs = this.#ahead();
  }

  /** By how much it was set since the last call, in ms; 0 if it was not. A host that slept is set ahead. */
  take(): number {
    const aheadMs = this.#ahead();
    const stepMs = Math.round(aheadMs - this.#aheadMs);
    if (Math.abs(stepMs) < STEP_MS) return 0;
    this.#aheadMs = aheadMs;
    return stepMs;
  }

  #ahead(): number {
    return this.#clock.nowMs() - this.#clock.monotonicMs();
  }
}
