import { systemErrorCode } from '../../base/mod.ts';

/** Kills by process id; those that are gone already do not matter. */
export function killEach(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if (systemErrorCode(error) !== 'ESRCH') throw error;
    }
  }
}
