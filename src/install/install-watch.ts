import { type Clock, limits, SluiceError, type Timer } from '../base/mod.ts';
import type { ImageProgress } from '../image/mod.ts';

export interface InstallWatchOptions {
  readonly imageUri: string;
  /** It comes from a registry, which has to bring some bytes of it in each window. */
  readonly isFar: boolean;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  /** The disk is about full, whoever filled it. */
  readonly isDiskLow?: (() => boolean) | undefined;
}

/**
 * Ends an install that takes longer than any may, or whose registry sends next to nothing: so that
 * who keeps a registry cannot keep an install's slot. One that fills the disk ends before it is full.
 */
export class InstallWatch {
  readonly signal: AbortSignal;
  readonly #options: InstallWatchOptions;
  readonly #controller = new AbortController();
  readonly #deadline: Timer;
  #window: Timer | undefined;
  #latest: ImageProgress | undefined;
  #bytesBefore = 0;

  constructor(options: InstallWatchOptions) {
    this.#options = options;
    const { clock, signal, isFar } = options;
    const own = this.#controller.signal;
    this.signal = signal ? AbortSignal.any([signal, own]) : own;
    const { installMs } = limits.shares;
    this.#deadline = clock.setTimer(installMs, () => {
      const what = `${options.imageUri}: the install took longer than ${installMs} ms`;
      this.#controller.abort(new SluiceError('DEADLINE_EXCEEDED', what));
    });
    if (isFar) this.#watch();
  }

  progress(progress: ImageProgress): void {
    this.#latest = progress;
    const { imageUri, isDiskLow } = this.#options;
    if (!isDiskLow?.()) return;
    this.#controller.abort(new SluiceError('DISK_FULL', `${imageUri}: the disk is about full`));
  }

  close(): void {
    this.#deadline.cancel();
    this.#window?.cancel();
  }

  #watch(): void {
    const { installWindowMs, installWindowBytes } = limits.shares;
    this.#window = this.#options.clock.setTimer(installWindowMs, () => {
      const { phase = 'layers', bytesDone = 0, bytesTotal = Infinity } = this.#latest ?? {};
      const came = bytesDone - this.#bytesBefore;
      this.#bytesBefore = bytesDone;
      if (phase === 'layers' && bytesDone < bytesTotal && came < installWindowBytes) {
        const what = `${came} bytes of the image came in ${installWindowMs} ms`;
        const { imageUri } = this.#options;
        this.#controller.abort(new SluiceError('REGISTRY_UNAVAILABLE', `${imageUri}: ${what}`));
      } else this.#watch();
    });
  }
}
