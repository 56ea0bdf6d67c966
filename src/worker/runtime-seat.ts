import type { Clock, Logger } from '../base/mod.ts';
import type { SandboxExit, SandboxRemains } from '../isolation/mod.ts';
import type { ShutdownReason } from '../runtime/mod.ts';
import { IdleFreezer } from './idle-freezer.ts';
import type { RuntimeRun } from './runtime-run.ts';

export interface RuntimeSeatParts {
  /** The runtime, up; absent if its init failed or ran out of time. */
  readonly run: RuntimeRun | undefined;
  /** What a runtime whose init ran out of time left. */
  readonly remains: SandboxRemains | undefined;
  /** Starts the runtime once more, on the same device. */
  readonly restart: (remains: SandboxRemains | undefined) => Promise<RuntimeRun>;
  /** The runtime ended by itself. */
  readonly onExit: (exit: SandboxExit) => void;
  /** How long it idles before it is frozen; 0 for never. */
  readonly freezeAfterMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The place of a sandbox's runtime: one at a time, and none from a reset until the next invoke. */
export class RuntimeSeat {
  readonly #parts: RuntimeSeatParts;
  #run: RuntimeRun | undefined;
  #remains: SandboxRemains | undefined;
  #freezer: IdleFreezer | undefined;
  /** Settles with the restart or reset that began last; never rejects. */
  #changing: Promise<unknown> = Promise.resolve();
  #ending = false;

  constructor(parts: RuntimeSeatParts) {
    this.#parts = parts;
    this.#remains = parts.remains;
    if (parts.run) this.#adopt(parts.run);
  }

  get run(): RuntimeRun | undefined {
    return this.#run;
  }

  /** Rejects with what the provider rejects with. */
  async restart(): Promise<RuntimeRun> {
    const remains = this.#remains;
    this.#remains = undefined;
    const restarting = this.#parts.restart(remains);
    this.#changing = restarting.then(
      (run) => this.#adopt(run),
      () => undefined,
    );
    return restarting;
  }

  /** It has nothing to do. */
  idle(): void {
    const { freezeAfterMs, clock, logger } = this.#parts;
    if (!this.#run || freezeAfterMs === 0) return;
    this.#freezer ??= new IdleFreezer(this.#run, freezeAfterMs, clock, logger);
    this.#freezer.idle();
  }

  /** It gets something to do: resolves when it can run. */
  async wake(): Promise<void> {
    this.#freezer?.busy();
    if (this.#freezer?.frozen) await this.#freezer.thaw();
  }

  /**
   * Ends the runtime and keeps its `/tmp` for the next; answers `false` if there will be none. A
   * restart under way is waited for. Rejects if its processes do not end.
   */
  reset(reason: ShutdownReason): Promise<boolean> {
    const reset = this.#reset(this.#changing, reason);
    this.#changing = reset.catch(() => undefined);
    return reset;
  }

  async #reset(changing: Promise<unknown>, reason: ShutdownReason): Promise<boolean> {
    await changing;
    const run = this.#run;
    if (this.#ending) return false;
    // It was to be started again, and was not: what remained still does.
    if (!run) return this.#remains !== undefined;
    this.#freezer?.close();
    this.#freezer = undefined;
    this.#run = undefined;
    try {
      this.#remains = await run.reset(reason);
    } catch (error) {
      this.#run = run;
      throw error;
    }
    return !this.#ending;
  }

  /** Leaves nothing of it. */
  async end(reason: ShutdownReason): Promise<void> {
    this.#ending = true;
    this.#freezer?.close();
    await this.#changing;
    if (this.#freezer?.frozen) await this.#freezer.thaw();
    await this.#run?.shutdown(reason);
    await this.#remains?.discard();
  }

  #adopt(run: RuntimeRun): void {
    this.#run = run;
    void run.exited.then((exit) => {
      if (this.#run === run) this.#parts.onExit(exit);
    });
  }
}
