import { type Clock, limits, SluiceError, systemErrorCode } from '../../base/mod.ts';

const POLL_MS = 1;

export function killEach(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if (systemErrorCode(error) !== 'ESRCH') throw error;
    }
  }
}

/** Asks until it holds, at most for the sandbox's freeze timeout; throws `DEADLINE_EXCEEDED`. */
export async function waitUntilFrozen(
  clock: Clock,
  name: string,
  isFrozen: () => Promise<boolean>,
): Promise<void> {
  const { freezeTimeoutMs } = limits.sandbox;
  const untilMs = clock.monotonicMs() + freezeTimeoutMs;
  while (!(await isFrozen())) {
    if (clock.monotonicMs() > untilMs) {
      const message = `cgroup ${name}: not frozen within ${freezeTimeoutMs} ms`;
      throw new SluiceError('DEADLINE_EXCEEDED', message);
    }
    await clock.sleep(POLL_MS);
  }
}
