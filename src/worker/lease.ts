import type { Clock, Timer } from '../base/mod.ts';
import type { FunctionFailure } from './function-error.ts';
import type { RuntimeRun } from './runtime-run.ts';

/**
 * The time for which one invoke has the sandbox. It runs until the runtime asks for its next
 * event, so work after the response still counts against the function's timeout.
 */
export class Lease {
  /** Resolves if the timeout falls due or the runtime exits first. */
  readonly interrupted: Promise<FunctionFailure>;
  readonly #timer: Timer;
  #interrupt: (failure: FunctionFailure) => void = () => {};

  constructor(clock: Clock, timeoutMs: number) {
    this.interrupted = new Promise((resolve) => {
      this.#interrupt = resolve;
    });
    this.#timer = clock.setTimer(timeoutMs, () => this.#interrupt({ kind: 'timeout', timeoutMs }));
  }

  watch(run: RuntimeRun): void {
    run.onExit = (exit) => this.#interrupt({ kind: 'exit', exit });
    if (run.exit) run.onExit(run.exit);
  }

  close(): void {
    this.#timer.cancel();
  }
}
