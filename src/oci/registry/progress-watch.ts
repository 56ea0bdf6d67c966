import { limits, SluiceError } from '../../base/mod.ts';

/** What may be asked of a registry; tests ask for less. */
export interface ProgressLimits {
  /** All waiting for one image's registry together. */
  readonly waitedMs: number;
  /** So many bytes in each so long a time of waiting. */
  readonly progressMs: number;
  readonly progressBytes: number;
}

/**
 * Ends the reading from a registry that streams for ever: by the bytes that it brings in the time
 * that is spent waiting for it, and by that time in all. What the reader takes for itself does not
 * count.
 */
export class ProgressWatch {
  readonly #name: string;
  readonly #limits: ProgressLimits;
  #waitedMs = 0;
  #windowMs = 0;
  #windowBytes = 0;

  constructor(name: string, progress: ProgressLimits = limits.registry) {
    this.#name = name;
    this.#limits = progress;
  }

  /** Throws `REGISTRY_UNAVAILABLE` when it is enough. */
  note(waitedMs: number, bytes: number): void {
    const limits = this.#limits;
    this.#waitedMs += waitedMs;
    this.#windowMs += waitedMs;
    this.#windowBytes += bytes;
    if (this.#waitedMs > limits.waitedMs) {
      throw this.#error(`it takes longer than ${limits.waitedMs / 1000} s in all`);
    }
    if (this.#windowMs < limits.progressMs) return;
    if (this.#windowBytes < limits.progressBytes) {
      throw this.#error(
        `it sent ${this.#windowBytes} bytes within ${Math.round(this.#windowMs / 1000)} s`,
      );
    }
    this.#windowMs = 0;
    this.#windowBytes = 0;
  }

  #error(what: string): SluiceError {
    return new SluiceError('REGISTRY_UNAVAILABLE', `${this.#name}: ${what}`, {
      data: { repository: this.#name },
    });
  }
}
