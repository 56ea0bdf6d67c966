import type { Clock, Timer } from '../../base/mod.ts';
import type { Launcher } from './launcher.ts';
import { Spawner } from './spawner.ts';
import type { Architecture } from './system-call-numbers.ts';

/** Let the start that took one be over by then. */
const REFILL_AFTER_MS = 10;

/** Launchers booted ahead of the sandboxes that take them. */
export class LauncherPool {
  readonly #spawner: Spawner;
  readonly #readyTarget: number;
  readonly #clock: Clock;
  #refill: Timer | undefined;
  readonly #ready: Launcher[] = [];
  #closed = false;

  constructor(architecture: Architecture, readyTarget: number, clock: Clock) {
    this.#spawner = new Spawner(architecture);
    this.#readyTarget = readyTarget;
    this.#clock = clock;
  }

  /** A booted launcher, of the caller's own from now on. */
  async acquire(): Promise<Launcher> {
    const launcher = this.#ready.shift() ?? this.#spawner.spawn();
    this.#refill ??= this.#clock.setTimer(REFILL_AFTER_MS, () => this.#fill());
    try {
      await launcher.booted;
    } catch (error) {
      launcher.kill();
      throw error;
    }
    return launcher;
  }

  #fill(): void {
    this.#refill = undefined;
    while (!this.#closed && this.#ready.length < this.#readyTarget) {
      const launcher = this.#spawner.spawn();
      void launcher.gone.then(() => this.#forget(launcher));
      this.#ready.push(launcher);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#refill?.cancel();
    const left = this.#ready.splice(0);
    for (const launcher of left) launcher.end();
    await Promise.all(left.map((launcher) => launcher.gone));
    await this.#spawner.close();
  }

  #forget(launcher: Launcher): void {
    const index = this.#ready.indexOf(launcher);
    if (index < 0) return;
    this.#ready.splice(index, 1);
    launcher.end();
  }
}
