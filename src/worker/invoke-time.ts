import type { Clock, Timer } from '../base/mod.ts';
import type { SandboxExit } from '../isolation/mod.ts';
import type { FunctionFailure } from './function-error.ts';

/**
 * The time for which one invoke has the sandbox. It runs until the runtime asks for its next
 * event, so work after the response still counts against the function's timeout.
 */
export class InvokeTime {
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

  /** The runtime has ended. */
  runtimeExited(exit: SandboxExit): void {
    this.#interrupt({ kind: 'exit', exit });
  }

  close(): void {
    this.#timer.cancel();
  }
}
