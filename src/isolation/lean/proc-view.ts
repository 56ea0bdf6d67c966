import { readdirSync, readFileSync, statSync } from 'node:fs';
import { KIB } from '../../base/mod.ts';
import type { SandboxShape } from '../spec.ts';

/** What of the host's /proc views are made from. */
export interface HostProc {
  /** Entries that are not processes: files that anybody may read, and directories. */
  readonly files: readonly string[];
  readonly directories: readonly string[];
  readonly cpuinfo: string;
  /** When the host booted, in seconds since the epoch: process start times count from then. */
  readonly bootEpochSeconds: number;
}

/** What a sandbox sees of /proc besides its processes. */
export interface ProcView {
  readonly hiddenFiles: readonly string[];
  readonly hiddenDirectories: readonly string[];
  /** Name in /proc to content, which tells the sandbox's own limits. */
  readonly files: Readonly<Record<string, string>>;
}

/**
 * The entries that programs need: their own processes' and namespaces', the kernel's version and
 * parameters, and those that a view stands in for. All others tell of the host or of neighbours.
 */
const SHOWN: ReadonlySet<string> = new Set([
  ...['cgroups', 'filesystems', 'mounts', 'net', 'self', 'sys', 'sysvipc', 'thread-self'],
  ...['uptime', 'version'],
  ...['cpuinfo', 'loadavg', 'meminfo', 'stat'],
]);
/** What a host may come to have while it is up. */
const KNOWN_FILES = ['mdstat', 'modules'];
const KNOWN_DIRECTORIES = ['asound', 'fs', 'scsi'];

const NO_CPU_TIMES = '0 0 0 1 0 0 0 0 0 0';

export function readHostProc(): HostProc {
  const entries = readdirSync('/proc', { withFileTypes: true });
  const isProcess = /^\d+$/;
  const named = entries.filter(({ name }) => !isProcess.test(name));
  const stat = readFileSync('/proc/stat', 'utf8');
  return {
    files: named.filter((entry) => entry.isFile() && isPublic(entry.name)).map(({ name }) => name),
    directories: named.filter((entry) => entry.isDirectory()).map(({ name }) => name),
    cpuinfo: readFileSync('/proc/cpuinfo', 'utf8'),
    bootEpochSeconds: Number(/^btime (\d+)$/m.exec(stat)?.[1] ?? 0),
  };
}

/** What its mode keeps from others needs no hiding: a sandbox's user is never the owner. */
function isPublic(name: string): boolean {
  return (statSync(`/proc/${name}`).mode & 0o006) !== 0;
}

/** The last capability that the kernel knows. */
export function readLastCapability(): number {
  return Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'));
}

export function procViewOf(host: HostProc, shape: SandboxShape): ProcView {
  const hide = (there: readonly string[], known: readonly string[]) =>
    [...new Set([...there, ...known])].filter((name) => !SHOWN.has(name)).sort();
  const processors = host.cpuinfo.split(/\n\n+/).filter((each) => /^processor\b/.test(each));
  const cpus = processors.slice(0, Math.ceil(shape.cpuMillis / 1000));
  return {
    hiddenFiles: hide(host.files, KNOWN_FILES),
    hiddenDirectories: hide(host.directories, KNOWN_DIRECTORIES),
    files: {
      meminfo: meminfoOf(shape.memoryBytes),
      cpuinfo: cpus.map((each) => `${each}\n\n`).join(''),
      stat: statOf(Math.max(1, cpus.length), host.bootEpochSeconds),
      loadavg: '0.00 0.00 0.00 1/1 1\n',
    },
  };
}

function meminfoOf(memoryBytes: number): string {
  const kib = Math.floor(memoryBytes / KIB);
  const all = ['MemTotal', 'MemFree', 'MemAvailable'].map((name) => [name, kib] as const);
  const none =
    `Buffers Cached SwapCached Active Inactive SwapTotal SwapFree Dirty Writeback AnonPages
    Mapped Shmem Slab SReclaimable SUnreclaim KernelStack PageTables`
      .split(/\s+/)
      .map((name) => [name, 0] as const);
  const commit = [['CommitLimit', kib] as const, ['Committed_AS', 0] as const];
  return [...all, ...none, ...commit]
    .map(([name, value]) => `${`${name}:`.padEnd(16)}${String(value).padStart(8)} kB\n`)
    .join('');
}

function statOf(cpus: number, bootEpochSeconds: number): string {
  const each = Array.from({ length: cpus }, (_, index) => `cpu${index} ${NO_CPU_TIMES}\n`);
  const rest = `processes 1\nprocs_running 1\nprocs_blocked 0\n`;
  return `cpu  ${NO_CPU_TIMES}\n${each.join('')}intr 0\nctxt 0\nbtime ${bootEpochSeconds}\n${rest}`;
}
