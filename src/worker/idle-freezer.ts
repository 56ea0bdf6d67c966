import type { Clock, Logger, Timer } from '../base/mod.ts';

/** What can be made to stand still. */
export interface Freezable {
  freeze(): Promise<void>;
  thaw(): Promise<void>;
}

/**
 * Freezes a sandbox that has been idle for a while, so that what its processes do on their own
 * costs nobody CPU, and thaws it for its next invoke. Not at once: a busy function's sandbox is
 * idle for a moment after each of its invokes, and freezing takes time.
 */
export class IdleFreezer {
  readonly #sandbox: Freezable;
  readonly #afterMs: number;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #idleSinceMs: number | undefined;
  #timer: Timer | undefined;
  /** Set while frozen, or on the way there. */
  #freezing: Promise<void> | undefined;

  constructor(sandbox: Freezable, afterMs: number, clock: Clock, logger: Logger) {
    this.#sandbox = sandbox;
    this.#afterMs = afterMs;
    this.#clock = clock;
    this.#logger = logger;
  }

  get frozen(): boolean {
    return this.#freezing !== undefined;
  }

  idle(): void {
    this.#idleSinceMs = this.#clock.monotonicMs();
    this.#timer ??= this.#clock.setTimer(this.#afterMs, () => this.#due());
  }

  /** The sandbox gets an invoke, before which it has to be thawed if it is frozen. */
  busy(): void {
    this.#idleSinceMs = undefined;
  }

  async thaw(): Promise<void> {
    await this.#freezing;
    await this.#sandbox.thaw();
    this.#freezing = undefined;
  }

  close(): void {
    this.#idleSinceMs = undefined;
    this.#timer?.cancel();
  }

  /** One timer serves many short rests: it looks how long this one has been, and comes again. */
  #due(): void {
    this.#timer = undefined;
    if (this.#idleSinceMs === undefined) return;
    const leftMs = this.#idleSinceMs + this.#afterMs - this.#clock.monotonicMs();
    if (leftMs > 0) {
      this.#timer = this.#clock.setTimer(leftMs, () => this.#due());
      return;
    }
    this.#freezing = this.#sandbox.freeze().catch((error) => {
      this.#logger.warn({ error }, 'an idle sandbox was not frozen');
    });
  }
}
