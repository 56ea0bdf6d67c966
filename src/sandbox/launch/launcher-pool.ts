import { Launcher } from './launcher.ts';
import type { Architecture } from './system-call-numbers.ts';

/** Launchers booted ahead of the sandboxes that take them. */
export class LauncherPool {
  readonly #architecture: Architecture;
  readonly #readyTarget: number;
  readonly #ready: Launcher[] = [];
  #closed = false;

  constructor(architecture: Architecture, readyTarget: number) {
    this.#architecture = architecture;
    this.#readyTarget = readyTarget;
  }

  /** A booted launcher, of the caller's own from now on. */
  async acquire(): Promise<Launcher> {
    const launcher = this.#ready.shift() ?? new Launcher(this.#architecture);
    try {
      await launcher.booted;
    } catch (error) {
      launcher.kill();
      throw error;
    }
    return launcher;
  }

  /** Starts as many as were taken; called when a start is over, to be on no start's way. */
  refill(): void {
    while (!this.#closed && this.#ready.length < this.#readyTarget) {
      const launcher = new Launcher(this.#architecture);
      void launcher.gone.then(() => this.#forget(launcher));
      this.#ready.push(launcher);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const left = this.#ready.splice(0);
    for (const launcher of left) launcher.end();
    await Promise.all(left.map((launcher) => launcher.gone));
  }

  #forget(launcher: Launcher): void {
    const index = this.#ready.indexOf(launcher);
    if (index >= 0) this.#ready.splice(index, 1);
  }
}
