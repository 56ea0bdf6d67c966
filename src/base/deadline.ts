import type { Clock } from './clock.ts';
import { SluiceError } from './errors.ts';

/** Bounds `work` by `timeoutMs`: its signal aborts and the call rejects with `DEADLINE_EXCEEDED`. */
export async function withDeadline<T>(
  clock: Clock,
  timeoutMs: number,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  const controller = new AbortController();
  const signal = outer ? AbortSignal.any([outer, controller.signal]) : controller.signal;
  const error = new SluiceError('DEADLINE_EXCEEDED', `${what}: no answer within ${timeoutMs} ms`, {
    data: { timeoutMs },
  });
  const timer = clock.setTimer(timeoutMs, () => controller.abort(error));
  try {
    return await Promise.race([
      work(signal),
      new Promise<never>((_, reject) => {
        if (signal.aborted) reject(signal.reason);
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      }),
    ]);
  } finally {
    timer.cancel();
  }
}
