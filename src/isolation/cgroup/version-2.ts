import { join } from 'node:path';
import { type Clock, limits, SluiceError, systemErrorCode } from '../../base/mod.ts';
import { pollUntil } from '../poll.ts';
import {
  CPU_PERIOD_US,
  cpuQuotaUs,
  cpuWeight,
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

const CONTROLLERS = '+memory +cpu +pids';

/** cgroups version 2 (Documentation/admin-guide/cgroup-v2.rst): one tree. */
export class CgroupTreeV2 implements CgroupTree {
  readonly version = 2;
  /** `memory.peak` cannot be reset before Linux 6.12. */
  readonly reusable = false;
  readonly #mount: string;
  readonly #parent: string;
  readonly #clock: Clock;

  constructor(mount: string, parent: string, clock: Clock) {
    this.#mount = mount;
    this.#parent = join(mount, parent);
    this.#clock = clock;
  }

  async prepare({ processes, memoryBytes }: HostShare): Promise<void> {
    await makeDirectory(this.#parent);
    for (const directory of [this.#mount, this.#parent]) {
      try {
        writeControl(join(directory, 'cgroup.subtree_control'), CONTROLLERS);
      } catch (error) {
        throw lacksControllers(directory, error);
      }
    }
    // By default all sandboxes together weigh no more than one process of the host.
    writeControlIfThere(join(this.#parent, 'cpu.weight'), cpuWeight(hostCpuMillis()));
    writeControl(join(this.#parent, 'pids.max'), processes);
    writeControl(join(this.#parent, 'memory.max'), memoryBytes);
  }

  async create(name: string): Promise<Cgroup> {
    await makeDirectory(join(this.#parent, name));
    return this.at(name);
  }

  at(name: string): Cgroup {
    return new CgroupV2(name, join(this.#parent, name), this.#clock);
  }

  async list(): Promise<Cgroup[]> {
    const names = await listDirectories(this.#parent);
    return names.map((name) => this.at(name));
  }

  remove(): Promise<void> {
    return removeDirectory(this.#parent);
  }
}

class CgroupV2 implements Cgroup {
  readonly name: string;
  readonly join: CgroupJoin;
  readonly views: readonly CgroupView[];
  readonly #directory: string;
  readonly #clock: Clock;
  #oomKillsBefore = 0;

  constructor(name: string, directory: string, clock: Clock) {
    this.name = name;
    this.join = { kind: 'clone', directory };
    this.views = [{ name: '', directory }];
    this.#directory = directory;
    this.#clock = clock;
  }

  limit({ memoryBytes, processes }: CgroupLimits): void {
    writeControl(this.#file('memory.max'), memoryBytes);
    writeControlIfThere(this.#file('memory.swap.max'), 0);
    writeControl(this.#file('cpu.max'), `max ${CPU_PERIOD_US}`);
    writeControlIfThere(this.#file('cpu.weight'), cpuWeight(1000));
    writeControl(this.#file('pids.max'), processes);
    this.#oomKillsBefore = this.#countOomKills();
  }

  limitCpu(cpuMillis: number): void {
    writeControl(this.#file('cpu.max'), `${cpuQuotaUs(cpuMillis)} ${CPU_PERIOD_US}`);
    writeControlIfThere(this.#file('cpu.weight'), cpuWeight(cpuMillis));
  }

  async freeze(): Promise<void> {
    writeControl(this.#file('cgroup.freeze'), 1);
    await pollUntil(
      this.#clock,
      `cgroup ${this.name}: not frozen`,
      limits.sandbox.freezeTimeoutMs,
      async () => readKeyed(this.#file('cgroup.events')).get('frozen') === 1,
    );
  }

  async thaw(): Promise<void> {
    writeControl(this.#file('cgroup.freeze'), 0);
  }

  async peakMemoryBytes(): Promise<number> {
    const stat = readKeyed(this.#file('memory.stat'));
    const fileCache = (stat.get('file') ?? 0) - (stat.get('shmem') ?? 0);
    return (await this.#readPeak()) - fileCache;
  }

  async oomKills(): Promise<number> {
    return this.#countOomKills() - this.#oomKillsBefore;
  }

  processes(): Promise<number[]> {
    return readProcesses(this.#file('cgroup.procs'));
  }

  /** `cgroup.kill` came with Linux 5.14. */
  async kill(): Promise<void> {
    try {
      writeControl(this.#file('cgroup.kill'), 1);
    } catch {
      killEach(await this.processes());
    }
  }

  /** Nothing to give back: a cgroup of this version serves one sandbox. */
  async reset(): Promise<void> {}

  remove(): Promise<void> {
    return removeDirectory(this.#directory);
  }

  #countOomKills(): number {
    return readKeyed(this.#file('memory.events')).get('oom_kill') ?? 0;
  }

  /** `memory.peak` came with Linux 5.19; before, the present use has to serve. */
  async #readPeak(): Promise<number> {
    try {
      return await readNumber(this.#file('memory.peak'));
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
      return readNumber(this.#file('memory.current'));
    }
  }

  #file(name: string): string {
    return join(this.#directory, name);
  }
}

function lacksControllers(directory: string, cause: unknown): SluiceError {
  return new SluiceError(
    'HOST_LACKS',
    `${directory}: cannot hand on the controllers memory, cpu and pids; ` +
      'run as root, outside of a container or in one with a writable cgroup of its own ' +
      'that holds no process itself',
    { cause },
  );
}
