import { readFile } from 'node:fs/promises';
import { systemErrorCode } from '../../base/mod.ts';

/** Sends a signal to a child of a sandbox's init, known by its number inside; or to nobody. */
export async function signalChild(
  initPid: number,
  childPid: number,
  signal: NodeJS.Signals,
): Promise<void> {
  const children = await read(`/proc/${initPid}/task/${initPid}/children`);
  for (const hostPid of children.split(' ').filter(Boolean).map(Number)) {
    const status = await read(`/proc/${hostPid}/status`);
    const numbers = /^NSpid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
    if (Number(numbers.at(-1)) !== childPid || Number(numbers[0]) !== hostPid) continue;
    try {
      process.kill(hostPid, signal);
    } catch (error) {
      if (systemErrorCode(error) !== 'ESRCH') throw error;
    }
  }
}

async function read(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
