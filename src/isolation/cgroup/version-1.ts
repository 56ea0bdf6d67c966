import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, limits } from '../../base/mod.ts';
import { pollUntil } from '../poll.ts';
import {
  CPU_PERIOD_US,
  cpuQuotaUs,
  cpuShares,
  hostCpuMillis,
  listDirectories,
  makeDirectory,
  readKeyed,
  readNumber,
  readProcesses,
  removeDirectory,
  writeControl,
  writeControlIfThere,
} from './files.ts';
import type { HostShare } from './host-share.ts';
import { killEach } from './kill.ts';
import type { Cgroup, CgroupJoin, CgroupLimits, CgroupTree, CgroupView } from './types.ts';

/** The controllers of version 1 that a sandbox needs. */
export const CONTROLLERS_V1 = ['memory', 'cpu', 'pids', 'freezer'] as const;
export type ControllerV1 = (typeof CONTROLLERS_V1)[number];
/** Where each controller is mounted; two may share a mount (`cpu,cpuacct`). */
export type MountsV1 = Readonly<Record<ControllerV1, string>>;

/**
 * Controllers that sandboxes have no limits in, but without whose mounts a JVM believes in no
 * limits at all. What stands there is the parent, in which there is no process.
 */
export const SHOWN_V1 = ['cpuset', 'cpuacct'] as const;
export type ShownMountsV1 = Readonly<Partial<Record<(typeof SHOWN_V1)[number], string>>>;

/** cgroups version 1 (Documentation/admin-guide/cgroup-v1): a tree for each controller. */
export class CgroupTreeV1 implements CgroupTree {
  readonly version = 1;
  readonly reusable = true;
  readonly #mounts: MountsV1;
  readonly #shown: ShownMountsV1;
  readonly #parent: string;
  readonly #clock: Clock;

  constructor(mounts: MountsV1, shown: ShownMountsV1, parent: string, clock: Clock) {
    this.#mounts = mounts;
    this.#shown = shown;
    this.#parent = parent;
    this.#clock = clock;
  }

  async prepare({ processes, memoryBytes }: HostShare): Promise<void> {
    for (const mount of this.#allMounts()) await makeDirectory(join(mount, this.#parent));
    // By default all sandboxes together weigh no more than one process of the host.
    const shares = join(this.#mounts.cpu, this.#parent, 'cpu.shares');
    writeControlIfThere(shares, cpuShares(hostCpuMillis()));
    writeControl(join(this.#mounts.pids, this.#parent, 'pids.max'), processes);
    const memory = join(this.#mounts.memory, this.#parent);
    writeControl(join(memory, 'memory.limit_in_bytes'), memoryBytes);
  }

  async create(name: string): Promise<Cgroup> {
    for (const mount of this.#uniqueMounts()) await makeDirectory(join(mount, this.#parent, name));
    return this.at(name);
  }

  async list(): Promise<Cgroup[]> {
    const names = new Set<string>();
    for (const mount of this.#uniqueMounts()) {
      for (const name of await listDirectories(join(mount, this.#parent))) names.add(name);
    }
    return [...names].map((name) => this.at(name));
  }

  async remove(): Promise<void> {
    for (const mount of this.#allMounts()) await removeDirectory(join(mount, this.#parent));
  }

  #uniqueMounts(): string[] {
    return [...new Set(Object.values(this.#mounts))];
  }

  #allMounts(): string[] {
    return [...new Set([...this.#uniqueMounts(), ...Object.values(this.#shown)])];
  }

  at(name: string): Cgroup {
    const path = (controller: ControllerV1) => join(this.#mounts[controller], this.#parent, name);
    const directories = {
      memory: path('memory'),
      cpu: path('cpu'),
      pids: path('pids'),
      freezer: path('freezer'),
    };
    const own = (['memory', 'cpu', 'pids'] as const).map((controller) => ({
      name: controller,
      directory: directories[controller],
    }));
    const shown = Object.entries(this.#shown).map(([controller, mount]) => ({
      name: controller,
      directory: this.#uniqueMounts().includes(mount)
        ? join(mount, this.#parent, name)
        : join(mount, this.#parent),
    }));
    return new CgroupV1(name, directories, [...own, ...shown], this.#clock);
  }
}

class CgroupV1 implements Cgroup {
  readonly name: string;
  readonly join: CgroupJoin;
  readonly views: readonly CgroupView[];
  readonly #directories: MountsV1;
  readonly #clock: Clock;
  #oomKillsBefore = 0;

  constructor(name: string, directories: MountsV1, views: readonly CgroupView[], clock: Clock) {
    this.name = name;
    this.views = views;
    this.#directories = directories;
    this.#clock = clock;
    // `tasks` moves the one thread that writes; see joinCgroup for why that matters.
    const files = [...new Set(Object.values(directories))].map((each) => join(each, 'tasks'));
    const freezerState = join(directories.freezer, 'freezer.state');
    this.join = { kind: 'write', files, freezerState };
  }

  limit({ memoryBytes, processes }: CgroupLimits): void {
    const { memory, cpu, pids } = this.#directories;
    // The limit with swap can never be below the one without: lift it first, then lower both.
    writeControlIfThere(join(memory, 'memory.memsw.limit_in_bytes'), -1);
    writeControl(join(memory, 'memory.limit_in_bytes'), memoryBytes);
    writeControlIfThere(join(memory, 'memory.memsw.limit_in_bytes'), memoryBytes);
    writeControlIfThere(join(memory, 'memory.swappiness'), 0);
    writeControl(join(memory, 'memory.max_usage_in_bytes'), 0);
    writeControl(join(cpu, 'cpu.cfs_quota_us'), -1);
    writeControlIfThere(join(cpu, 'cpu.shares'), cpuShares(1000));
    writeControl(join(pids, 'pids.max'), processes);
    this.#oomKillsBefore = this.#countOomKills();
  }

  limitCpu(cpuMillis: number): void {
    const { cpu } = this.#directories;
    writeControl(join(cpu, 'cpu.cfs_period_us'), CPU_PERIOD_US);
    writeControl(join(cpu, 'cpu.cfs_quota_us'), cpuQuotaUs(cpuMillis));
    writeControlIfThere(join(cpu, 'cpu.shares'), cpuShares(cpuMillis));
  }

  async freeze(): Promise<void> {
    const file = join(this.#directories.freezer, 'freezer.state');
    writeControl(file, 'FROZEN');
    await pollUntil(
      this.#clock,
      `cgroup ${this.name}: not frozen`,
      limits.sandbox.freezeTimeoutMs,
      async () => {
        const state = (await readFile(file, 'utf8')).trim();
        // FREEZING can last when a process was just forked; asking again takes it along.
        if (state === 'FREEZING') writeControl(file, 'FROZEN');
        return state === 'FROZEN';
      },
    );
  }

  async thaw(): Promise<void> {
    writeControl(join(this.#directories.freezer, 'freezer.state'), 'THAWED');
  }

  async peakMemoryBytes(): Promise<number> {
    const { memory } = this.#directories;
    const stat = readKeyed(join(memory, 'memory.stat'));
    const fileCache = (stat.get('cache') ?? 0) - (stat.get('shmem') ?? 0);
    return (await readNumber(join(memory, 'memory.max_usage_in_bytes'))) - fileCache;
  }

  async oomKills(): Promise<number> {
    return this.#countOomKills() - this.#oomKillsBefore;
  }

  async processes(): Promise<number[]> {
    const found = new Set<number>();
    for (const directory of new Set(Object.values(this.#directories))) {
      for (const pid of await readProcesses(join(directory, 'cgroup.procs'))) found.add(pid);
    }
    return [...found];
  }

  async kill(): Promise<void> {
    killEach(await this.processes());
    // A frozen process dies only once it is thawed, and then before it runs on.
    writeControlIfThere(join(this.#directories.freezer, 'freezer.state'), 'THAWED');
  }

  async reset(): Promise<void> {
    await writeFile(join(this.#directories.memory, 'memory.force_empty'), '0\n', { flag: 'r+' });
  }

  async remove(): Promise<void> {
    for (const directory of new Set(Object.values(this.#directories))) {
      await removeDirectory(directory);
    }
  }

  #countOomKills(): number {
    return readKeyed(join(this.#directories.memory, 'memory.oom_control')).get('oom_kill') ?? 0;
  }
}
