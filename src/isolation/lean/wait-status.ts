import { constants } from 'node:os';

/** What a wait status says: the exit status, or the name of the signal that ended the process. */
export function exitOfWaitStatus(status: number): {
  exitCode: number | null;
  signal: string | null;
} {
  const number = status & 0x7f;
  if (number === 0) return { exitCode: (status >> 8) & 0xff, signal: null };
  const known = Object.entries(constants.signals).find(([, value]) => value === number);
  return { exitCode: null, signal: known?.[0] ?? `SIG${number}` };
}
