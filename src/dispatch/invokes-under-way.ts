import { type Clock, limits } from '../base/mod.ts';

/** Until when each invoke that was begun may run: its wait for a sandbox and its function's timeout. */
export class InvokesUnderWay {
  readonly #clock: Clock;
  readonly #untilMs = new Set<{ readonly atMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async run<T>(timeoutMs: number, work: () => Promise<T>): Promise<T> {
    const until = { atMs: this.#clock.monotonicMs() + limits.assignment.waitMs + timeoutMs };
    this.#untilMs.add(until);
    try {
      return await work();
    } finally {
      this.#untilMs.delete(until);
    }
  }

  /** How long the last of them may take yet; 0 when there are none. */
  longestMs(): number {
    const latest = Math.max(0, ...[...this.#untilMs].map(({ atMs }) => atMs));
    return Math.max(0, latest - this.#clock.monotonicMs());
  }
}
