import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { SluiceError, systemErrorCode } from '../../base/mod.ts';

/** The CPU quota's period: short, so that a small share is not one long wait. */
export const CPU_PERIOD_US = 20_000;
/** The kernel takes no smaller quota (cpu.cfs_quota_us, cpu.max). */
const CPU_QUOTA_MIN_US = 1000;

export function cpuQuotaUs(cpuMillis: number): number {
  return Math.max(CPU_QUOTA_MIN_US, Math.round((CPU_PERIOD_US * cpuMillis) / 1000));
}

/**
 * What a share of CPU weighs where CPU is short, in `cpu.shares`: 1,024 a CPU, as each process
 * outside of any group weighs.
 */
export function cpuShares(cpuMillis: number): number {
  return Math.min(262_144, Math.max(2, Math.round((1024 * cpuMillis) / 1000)));
}

/** The same in version 2's `cpu.weight`, where such a process weighs 100. */
export function cpuWeight(cpuMillis: number): number {
  return Math.min(10_000, Math.max(1, Math.round((100 * cpuMillis) / 1000)));
}

/** All of the host's CPUs: what sandboxes together weigh, however few processes the parent is to others. */
export function hostCpuMillis(): number {
  return availableParallelism() * 1000;
}

/** Throws `SANDBOX_START_FAILED` where the kernel refuses the value. */
export function writeControl(file: string, value: string | number): void {
  try {
    writeFileSync(file, `${value}\n`, { flag: 'r+' });
  } catch (error) {
    throw new SluiceError('SANDBOX_START_FAILED', `${file}: cannot write ${value}`, {
      cause: error,
      data: { step: 'set up the cgroup', errno: systemErrorCode(error) },
    });
  }
}

/** Writes where the file exists: some controllers' files depend on the kernel's options. */
export function writeControlIfThere(file: string, value: string | number): void {
  if (existsSync(file)) writeControl(file, value);
}

export async function readNumber(file: string): Promise<number> {
  return Number((await readFile(file, 'utf8')).trim());
}

/** Files of lines `key number`, as `memory.stat` is. */
export function readKeyed(file: string): ReadonlyMap<string, number> {
  const lines = readFileSync(file, 'utf8').split('\n');
  return new Map(
    lines.filter(Boolean).map((line) => {
      const space = line.indexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

export async function readProcesses(file: string): Promise<number[]> {
  try {
    const text = await readFile(file, 'utf8');
    return text.split('\n').filter(Boolean).map(Number);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

export async function makeDirectory(directory: string): Promise<void> {
  await mkdir(directory).catch((error) => {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
  });
}

export async function removeDirectory(directory: string): Promise<void> {
  await rmdir(directory).catch((error) => {
    if (!isGone(error)) throw error;
  });
}

export async function listDirectories(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** The cgroup went away: before the open (ENOENT) or after it (ENODEV). */
function isGone(error: unknown): boolean {
  const code = systemErrorCode(error);
  return code === 'ENOENT' || code === 'ENODEV';
}
