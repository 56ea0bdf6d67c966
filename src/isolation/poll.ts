import { type Clock, SluiceError } from '../base/mod.ts';

const FIRST_WAIT_MS = 1;
const LONGEST_WAIT_MS = 32;

/**
 * Asks until it holds, ever more rarely: for what the kernel finishes in its own time and tells
 * nobody. Throws `DEADLINE_EXCEEDED` after `timeoutMs`.
 */
export async function pollUntil(
  clock: Clock,
  what: string,
  timeoutMs: number,
  holds: () => Promise<boolean>,
): Promise<void> {
  const untilMs = clock.monotonicMs() + timeoutMs;
  let waitMs = FIRST_WAIT_MS;
  while (!(await holds())) {
    if (clock.monotonicMs() > untilMs) {
      throw new SluiceError('DEADLINE_EXCEEDED', `${what} after ${timeoutMs} ms`);
    }
    await clock.sleep(waitMs);
    waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
  }
}
