import { readdirSync, readFileSync } from 'node:fs';

/** Ticks of a second in /proc/PID/stat, `sysconf(_SC_CLK_TCK)`. */
const TICKS_PER_SECOND = 100;

export interface ProcessSample {
  readonly pid: number;
  readonly command: string;
  readonly residentBytes: number;
  /** User and system time since its birth. */
  readonly cpuSeconds: number;
  readonly openFiles: number;
}

function fieldsOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Undefined for a process that has gone meanwhile. */
function sampleOf(pid: number): ProcessSample | undefined {
  try {
    const fields = fieldsOf(pid);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return {
      pid,
      command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim(),
      residentBytes: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024,
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
      openFiles: readdirSync(`/proc/${pid}/fd`).length,
    };
  } catch {
    return undefined;
  }
}

/** A process and all that it started, parents first. */
export function processTree(root: number): ProcessSample[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    try {
      const parent = Number(fieldsOf(pid)[1]);
      children.set(parent, [...(children.get(parent) ?? []), pid]);
    } catch {
      // It has ended since the directory was read.
    }
  }
  const all: number[] = [root];
  for (const pid of all) all.push(...(children.get(pid) ?? []));
  return all.map(sampleOf).filter((sample) => sample !== undefined);
}

/** CPU that a process and all its living descendants have used. */
export function cpuSecondsOfTree(root: number): number {
  return processTree(root).reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
}

/** User and system time of one process since its birth. */
export const cpuSecondsOf = (pid: number): number => sampleOf(pid)?.cpuSeconds ?? Number.NaN;
