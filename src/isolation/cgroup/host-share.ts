import { readFileSync } from 'node:fs';
import { KIB, limits } from '../../base/mod.ts';

/** What a host has to share. */
export interface HostCapacity {
  /** Numbers that processes and threads can have: `kernel.pid_max`. */
  readonly pidMax: number;
  /** Processes and threads that the kernel makes at all: `kernel.threads-max`. */
  readonly threadsMax: number;
  readonly memoryBytes: number;
}

/** What all sandboxes of one instance may have together, whatever each may have. */
export interface HostShare {
  readonly processes: number;
  readonly memoryBytes: number;
}

/**
 * All but a reserve, with which the host's own services and the region go on while every sandbox
 * uses all that it may: memory is promised to more sandboxes than there is memory for.
 */
export function shareOf({ pidMax, threadsMax, memoryBytes }: HostCapacity): HostShare {
  const { hostProcessesShare, hostMemoryShare } = limits.sandbox;
  return {
    processes: Math.floor(Math.min(pidMax, threadsMax) * hostProcessesShare),
    memoryBytes: Math.floor(memoryBytes * hostMemoryShare),
  };
}

export function readHostCapacity(): HostCapacity {
  const number = (file: string) => Number(readFileSync(file, 'utf8'));
  const kib = /^MemTotal:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  return {
    pidMax: number('/proc/sys/kernel/pid_max'),
    threadsMax: number('/proc/sys/kernel/threads-max'),
    memoryBytes: Number(kib) * KIB,
  };
}
