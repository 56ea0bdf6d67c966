import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { limits, MIB, noLogger, systemClock } from '../../src/base/mod.ts';
import {
  CgroupPool,
  LeanSandboxFactory,
  type LeanSandboxFactoryOptions,
  type Sandbox,
  type SandboxExit,
  type SandboxIdentity,
  SandboxLife,
  type SandboxProvider,
  type SandboxShape,
  type SandboxSpec,
  UserPool,
} from '../../src/isolation/mod.ts';
import { temporaryDirectory } from '../support/temporary.ts';

export const SANDBOX_NEEDS = [
  'root',
  'loop',
  'cgroup',
  'tool:/bin/busybox',
  'tool:mke2fs',
] as const;

const BUSYBOX = '/bin/busybox';

/** A disk with nothing but busybox: no /proc, no /dev, no /tmp, no /etc. */
export function makeDisk(
  t: TestContext,
  fill: (root: string) => void = () => {},
): { disk: string; directory: string } {
  const directory = temporaryDirectory(t, 'sandbox');
  const root = join(directory, 'root');
  const bin = join(root, 'bin');
  mkdirSync(bin, { recursive: true });
  cpSync(BUSYBOX, join(bin, 'busybox'));
  const applets = execFileSync(BUSYBOX, ['--list'], { encoding: 'utf8' }).trim().split('\n');
  for (const applet of applets) {
    if (applet !== 'busybox') symlinkSync('busybox', join(bin, applet));
  }
  fill(root);
  const disk = join(directory, 'disk.ext4');
  const format = ['-q', '-F', '-t', 'ext4', '-b', '4096', '-O', '^has_journal', '-d', root, disk];
  execFileSync('mke2fs', [...format, '32M'], { stdio: 'ignore' });
  return { disk, directory };
}

let instances = 0;

export async function makeOwnedFactory(
  ownerId: string,
  options: Partial<LeanSandboxFactoryOptions> = {},
): Promise<WatchedFactory> {
  const cgroups = await CgroupPool.open({ ownerId, clock: systemClock, logger: noLogger });
  // Tests run side by side: none is to find its users among another's.
  const range = { first: limits.sandbox.firstUid, count: limits.sandbox.users };
  const users = new UserPool(range, process.pid * 97 + instances * 7);
  const base = { cgroups, users, clock: systemClock, logger: noLogger };
  return new WatchedFactory(new LeanSandboxFactory({ ...base, ...options }));
}

/** A sandbox, and how its life goes. */
export type WatchedSandbox = Sandbox & {
  readonly life: SandboxLife;
  readonly exited: Promise<SandboxExit>;
};

/** Starts a sandbox whose owner keeps what happened in its life. */
export async function startWatched(
  provider: SandboxProvider,
  spec: SandboxSpec,
  signal?: AbortSignal,
): Promise<WatchedSandbox> {
  const life = new SandboxLife();
  const sandbox = await provider.start(spec, { onEvent: life.onEvent, signal });
  return Object.assign(sandbox, { life, exited: life.exited });
}

/** A factory of lean sandboxes that watches their lives. */
export class WatchedFactory {
  readonly provider: LeanSandboxFactory;

  constructor(provider: LeanSandboxFactory) {
    this.provider = provider;
  }

  start(spec: SandboxSpec, signal?: AbortSignal): Promise<WatchedSandbox> {
    return startWatched(this.provider, spec, signal);
  }

  sweep(): ReturnType<LeanSandboxFactory['sweep']> {
    return this.provider.sweep();
  }

  close(): Promise<void> {
    return this.provider.close();
  }
}

/** A factory of the test's own, closed and checked for leftovers when the test ends. */
export async function makeFactory(
  t: TestContext,
  options: Partial<LeanSandboxFactoryOptions> = {},
): Promise<WatchedFactory> {
  const ownerId = `test-${process.pid}-${instances++}`;
  const factory = await makeOwnedFactory(ownerId, options);
  t.after(async () => {
    await factory.close();
    assert.deepEqual(cgroupsOf(ownerId), []);
  });
  return factory;
}

export function makeSpec(
  diskPath: string,
  overrides: Partial<SandboxShape & SandboxIdentity> = {},
): SandboxSpec {
  const identity = {
    sandboxId: 'sandbox-1',
    logStream: 'stream',
    initializationType: 'on-demand',
    credentials: {},
    deadlineMs: systemClock.monotonicMs() + 600_000,
  } as const;
  const shape = {
    diskPath,
    argv: ['/bin/sh', '-c', 'true'],
    environment: { PATH: '/bin' },
    workingDirectory: '/',
    memoryBytes: 128 * MIB,
    cpuMillis: 1000,
    tmpBytes: 16 * MIB,
    processes: 64,
    openFiles: 1024,
    runtimeOnlyVariables: [],
  };
  const own = Object.keys(identity);
  const part = (ofIdentity: boolean) =>
    Object.fromEntries(
      Object.entries(overrides).filter(([name]) => own.includes(name) === ofIdentity),
    );
  return { shape: { ...shape, ...part(false) }, identity: { ...identity, ...part(true) } };
}

export interface RunResult extends SandboxExit {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a shell script in a sandbox to its end. */
export async function runScript(
  factory: WatchedFactory,
  { shape, identity }: SandboxSpec,
  script: string,
): Promise<RunResult> {
  const argv = ['/bin/sh', '-c', script];
  const sandbox = await factory.start({ shape: { ...shape, argv }, identity });
  try {
    const [stdout, stderr, exit] = await Promise.all([
      text(sandbox.stdout),
      text(sandbox.stderr),
      sandbox.life.exited,
    ]);
    return { ...exit, stdout, stderr };
  } finally {
    await sandbox.stop();
  }
}

/** Resolves with the first line. */
export async function firstLine(stream: Readable): Promise<string> {
  let seen = '';
  for await (const chunk of stream) {
    seen += chunk;
    if (seen.includes('\n')) break;
  }
  return seen.slice(0, seen.indexOf('\n'));
}

/** Loop devices whose backing file is this disk. */
export function loopDevicesOf(disk: string): string[] {
  return loopDevices((backingFile) => backingFile === disk);
}

/** Loop devices whose backing file is in this directory, unlinked ones too. */
export function loopDevicesUnder(directory: string): string[] {
  return loopDevices((backingFile) => backingFile.startsWith(`${directory}/`));
}

function loopDevices(matches: (backingFile: string) => boolean): string[] {
  return readdirSync('/sys/block').filter((name) => {
    if (!name.startsWith('loop')) return false;
    try {
      return matches(readFileSync(`/sys/block/${name}/loop/backing_file`, 'utf8').trim());
    } catch {
      return false;
    }
  });
}

/** Host processes that have this string in their environment. */
export function processesWith(needle: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(needle);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** What limits an instance's sandboxes together: its parent cgroups' files, by name. */
export function cgroupFilesOf(ownerId: string): Map<string, string> {
  const parents = ['/sys/fs/cgroup', ...readdirSync('/sys/fs/cgroup').map(underCgroup)];
  const found = new Map<string, string>();
  for (const parent of parents) {
    for (const name of ['pids.max', 'memory.max', 'memory.limit_in_bytes']) {
      const file = join(parent, `sluice-${ownerId}`, name);
      if (existsSync(file)) found.set(name, readFileSync(file, 'utf8').trim());
    }
  }
  return found;
}

/** Directories of an instance's cgroups, in every hierarchy. */
export function cgroupsOf(ownerId: string): string[] {
  const parents = ['/sys/fs/cgroup', ...readdirSync('/sys/fs/cgroup').map(underCgroup)];
  return parents.flatMap((parent) => {
    try {
      return readdirSync(join(parent, `sluice-${ownerId}`));
    } catch {
      return [];
    }
  });
}

function underCgroup(name: string): string {
  return join('/sys/fs/cgroup', name);
}
