import { readFile } from 'node:fs/promises';
import { KIB, SluiceError } from '../base/mod.ts';
import type { HostMemory } from './memory-watch.ts';

/** `MemAvailable` of `/proc/meminfo`: what can be had without swapping (proc(5)). */
export function parseMemAvailable(meminfo: string): number {
  const kib = /^MemAvailable:\s+(\d+) kB$/m.exec(meminfo)?.[1];
  if (kib === undefined) {
    throw new SluiceError('HOST_LACKS', '/proc/meminfo: has no MemAvailable; Linux 3.14 has it');
  }
  return Number(kib) * KIB;
}

export const procMeminfo: HostMemory = {
  availableBytes: async () => parseMemAvailable(await readFile('/proc/meminfo', 'utf8')),
};
