import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function mounts(): string[] {
  return read('/proc/self/mounts')
    .split('\n')
    .filter((line) => /sluice|^\S+ \S+ fuse /.test(line));
}

/** A line for each loop device in use: its name and its backing file. */
export function loopDevices(): string[] {
  return readdirSync('/sys/block')
    .filter((name) => name.startsWith('loop'))
    .map((name) => `${name} ${read(join('/sys/block', name, 'loop/backing_file')).trim()}`)
    .filter((line) => line.includes(' /'));
}

function processes(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((pid) => `${pid} ${read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()}`)
    .filter((line) => /^\d+ (\S*node .*\bsrc\/\S+main\.ts|\S*\/launch\.\S+|init$)/.test(line));
}

function cgroups(directory = '/sys/fs/cgroup', depth = 0): string[] {
  if (depth > 3 || !existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => {
      const path = join(directory, entry.name);
      return entry.name.startsWith('sluice') ? [path] : cgroups(path, depth + 1);
    });
}

/** Mounts, loop devices, processes and cgroups of Sluice that this host has now. */
export function hostState(): string[] {
  return [...mounts(), ...loopDevices(), ...processes(), ...cgroups()];
}

/** What is there now and was not before; waits a little for the kernel to finish its own clean-up. */
export async function leftovers(before: readonly string[], waitMs = 5000): Promise<string[]> {
  const known = new Set(before);
  for (let waited = 0; ; waited += 100) {
    const left = hostState().filter((line) => !known.has(line));
    if (left.length === 0 || waited >= waitMs) return left;
    await sleep(100);
  }
}
