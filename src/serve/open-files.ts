import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { limits, SluiceError } from '../base/mod.ts';

const LIMITS_FILE = '/proc/self/limits';
const execute = promisify(execFile);

/** The soft limit of open files in the text of `/proc/PID/limits`; Infinity when there is none. */
export function openFilesIn(text: string): number {
  const value = /^Max open files\s+(\S+)/m.exec(text)?.[1];
  return value === 'unlimited' || value === undefined ? Number.POSITIVE_INFINITY : Number(value);
}

/** CAP_SYS_RESOURCE of linux/capability.h. */
const RAISES_LIMITS = 24n;

/** Whether the text of `/proc/PID/status` has the capability to raise limits. */
export function mayRaiseIn(text: string): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(text)?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> RAISES_LIMITS) & 1n) === 1n;
}

export function mayRaiseOpenFiles(): boolean {
  return mayRaiseIn(readFileSync('/proc/self/status', 'utf8'));
}

export function openFilesLimit(): number {
  return openFilesIn(readFileSync(LIMITS_FILE, 'utf8'));
}

/**
 * Raises this process's limit of open files to what a region wants, where it may, and answers it.
 * Rejects with `HOST_LACKS` where less is left than a region can serve with.
 */
export async function raiseOpenFiles(): Promise<number> {
  const { openFiles, openFilesLeast } = limits.host;
  if (openFilesLimit() < openFiles) {
    const wanted = ['--pid', `${process.pid}`, `--nofile=${openFiles}:${openFiles}`];
    await execute('prlimit', wanted).catch(() => {});
  }
  const limit = openFilesLimit();
  if (limit >= openFilesLeast) return limit;
  throw new SluiceError(
    'HOST_LACKS',
    `RLIMIT_NOFILE: ${limit} open files are too few; a region needs ${openFilesLeast}: ` +
      `ulimit -n ${openFiles}, or LimitNOFILE=${openFiles} in a unit of systemd`,
    { data: { limit } },
  );
}
