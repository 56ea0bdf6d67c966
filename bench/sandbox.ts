import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { formatMs, type Logger, limits, MIB, noLogger, systemClock } from '../src/base/mod.ts';
import {
  CgroupPool,
  LeanSandboxFactory,
  type SandboxSpec,
  UserPool,
} from '../src/isolation/mod.ts';
import { quantileOf } from './support/statistics.ts';

export const title = 'start of a lean sandbox, beside bwrap and unshare: until its first output';
export const takes = { words: 'number' } as const;

const DEFAULT_ROUNDS = 60;
const PARALLEL = 50;

interface Milestones {
  readonly beganMs: number;
  readonly acquiredMs: number;
  readonly servedMs: number;
  readonly mountedMs: number;
  readonly startedMs: number;
}

type Samples = Map<string, number[]>;

function add(samples: Samples, name: string, milliseconds: number): void {
  const list = samples.get(name) ?? [];
  list.push(milliseconds);
  samples.set(name, list);
}

/** A tree with busybox in it, as directory for the others and as disk for us. */
function makeRoot(directory: string): { root: string; disk: string } {
  const root = join(directory, 'root');
  for (const each of ['bin', 'proc', 'dev', 'tmp', 'etc', 'sys']) {
    mkdirSync(join(root, each), { recursive: true });
  }
  cpSync('/bin/busybox', join(root, 'bin', 'busybox'));
  for (const applet of ['sh', 'echo', 'sleep']) symlinkSync('busybox', join(root, 'bin', applet));
  const disk = join(directory, 'disk.ext4');
  const format = ['-q', '-F', '-t', 'ext4', '-b', '4096', '-O', '^has_journal', '-d', root, disk];
  execFileSync('mke2fs', [...format, '32M'], { stdio: 'ignore' });
  return { root, disk };
}

function firstOutput(stream: Readable): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.once('data', () => resolve());
    stream.once('end', () => reject(new Error('it ended without output')));
  });
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => child.once('close', () => resolve()));
}

async function timeCommand(samples: Samples, name: string, argv: readonly string[]): Promise<void> {
  const beganMs = systemClock.monotonicMs();
  const [command = '', ...rest] = argv;
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'ignore'] });
  const closed = ended(child);
  await firstOutput(child.stdout);
  add(samples, name, systemClock.monotonicMs() - beganMs);
  await closed;
}

async function timeSandbox(
  samples: Samples,
  factory: LeanSandboxFactory,
  spec: SandboxSpec,
): Promise<void> {
  const beganMs = systemClock.monotonicMs();
  const sandbox = await factory.start(spec, { onEvent: () => {} });
  await firstOutput(sandbox.stdout);
  const runsMs = systemClock.monotonicMs();
  add(samples, 'lean sandbox', runsMs - beganMs);
  await sandbox.stop();
  add(samples, 'stop, nothing left', systemClock.monotonicMs() - runsMs);
}

function split(samples: Samples, { beganMs, ...at }: Milestones): void {
  add(samples, '  cgroup and launcher', at.acquiredMs - beganMs);
  add(samples, '  namespaces and network', at.servedMs - at.acquiredMs);
  add(samples, '  loop device and disk', at.mountedMs - at.servedMs);
  add(samples, '  root, privileges, execve', at.startedMs - at.mountedMs);
}

async function timeParallel(factory: LeanSandboxFactory, spec: SandboxSpec): Promise<number> {
  const beganMs = systemClock.monotonicMs();
  const starts = Array.from({ length: PARALLEL }, () => factory.start(spec, { onEvent: () => {} }));
  const sandboxes = await Promise.all(starts);
  const perSecond = (PARALLEL * 1000) / (systemClock.monotonicMs() - beganMs);
  await Promise.all(sandboxes.map((sandbox) => sandbox.stop()));
  return perSecond;
}

export async function run(flags: readonly string[]): Promise<unknown> {
  const rounds = Number(flags[0] ?? DEFAULT_ROUNDS);
  const directory = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  const { root, disk } = makeRoot(directory);
  const samples: Samples = new Map();
  const logger: Logger = {
    ...noLogger,
    debug: (fields) => split(samples, fields as unknown as Milestones),
  };
  const cgroups = await CgroupPool.open({ ownerId: 'bench', clock: systemClock, logger });
  const scratchDirectory = join(directory, 'scratch');
  const users = new UserPool({ first: limits.sandbox.firstUid, count: limits.sandbox.users });
  const factory = new LeanSandboxFactory({
    cgroups,
    users,
    clock: systemClock,
    logger,
    scratchDirectory,
  });
  const argv = ['/bin/sh', '-c', 'echo up'];
  const identity = {
    sandboxId: 'bench',
    logStream: 'bench',
    initializationType: 'on-demand',
    credentials: {},
    deadlineMs: systemClock.monotonicMs() + 600_000,
  } as const;
  const shape = {
    diskPath: disk,
    argv,
    environment: { PATH: '/bin' },
    runtimeOnlyVariables: [],
    workingDirectory: '/',
    memoryBytes: 128 * MIB,
    cpuMillis: 1000,
    tmpBytes: 64 * MIB,
    processes: 64,
    openFiles: 1024,
  };
  const spec: SandboxSpec = { shape, identity };
  const bwrap = ['bwrap', '--unshare-all', '--die-with-parent', '--ro-bind', root, '/'];
  const mounts = ['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp'];
  const unshare = ['unshare', '--mount', '--pid', '--ipc', '--uts', '--net', '--cgroup', '--fork'];
  try {
    for (let round = 0; round < rounds + 1; round++) {
      if (round === 1) samples.clear();
      await timeSandbox(samples, factory, spec);
      await timeCommand(samples, 'bwrap --unshare-all', [...bwrap, ...mounts, ...argv]);
      await timeCommand(samples, 'unshare', [...unshare, ...argv]);
      await timeCommand(samples, 'no isolation', argv);
    }
    const rows = [...samples].map(([name, list]) => [name, quantileOf(list, 0.5)] as const);
    for (const [name, list] of samples) {
      const [p10, p50, p99] = [0.1, 0.5, 0.99].map((share) => formatMs(quantileOf(list, share)));
      process.stdout.write(`${name.padEnd(28)} p10 ${p10}  p50 ${p50}  p99 ${p99}\n`);
    }
    const startsPerSecond = await timeParallel(factory, spec);
    process.stdout.write(`${PARALLEL} starts at once: ${startsPerSecond.toFixed(0)} a second\n`);
    const ratio = (new Map(rows).get('lean sandbox') ?? 0) / (new Map(rows).get(BWRAP) ?? 1);
    process.stdout.write(`lean sandbox / bwrap: ${ratio.toFixed(2)}\n`);
    return { rounds, p50Ms: Object.fromEntries(rows), startsPerSecond, leanToBwrap: ratio };
  } finally {
    await factory.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

const BWRAP = 'bwrap --unshare-all';
