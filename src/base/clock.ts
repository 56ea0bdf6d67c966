import { performance } from 'node:perf_hooks';

export interface Timer {
  cancel(): void;
}

/** Time as a constructor argument, so that the simulator can run the same code on its own clock. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch; may step. */
  nowMs(): number;
  /** Monotonic milliseconds with a fraction; for durations only. */
  monotonicMs(): number;
  /** Calls `callback` once after `delayMs`; never keeps the process alive by itself. */
  setTimer(delayMs: number, callback: () => void): Timer;
  /** Calls `callback` at the next turn of the event loop, after the promises and events of this one. */
  soon(callback: () => void): void;
  /** Resolves after `delayMs`; rejects with the signal's reason when it aborts first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

class SystemClock implements Clock {
  nowMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const handle = setTimeout(callback, delayMs);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  }

  soon(callback: () => void): void {
    setImmediate(callback);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        clearTimeout(handle);
        reject(signal?.reason);
      };
      const handle = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, delayMs);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}

export const systemClock: Clock = new SystemClock();
