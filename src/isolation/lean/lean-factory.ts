import {
  type Clock,
  isSluiceError,
  type Logger,
  limits,
  SluiceError,
  withDeadline,
} from '../../base/mod.ts';
import type { CgroupPool } from '../cgroup/pool.ts';
import type { CgroupJoin, CgroupView } from '../cgroup/types.ts';
import type {
  Sandbox,
  SandboxOwner,
  SandboxProvider,
  SandboxRemains,
  SandboxSnapshot,
  SweepReport,
} from '../provider.ts';
import { isolationLacks } from '../refusal.ts';
import { checkSpec, type SandboxSpec } from '../spec.ts';
import type { PrivilegeOptions } from './compose/privileges.ts';
import { composeStart, type SandboxNetwork } from './compose/start.ts';
import { ownersOf } from './host-mounts.ts';
import { hostArchitecture, type Launcher } from './launcher/launcher.ts';
import { type LauncherNetwork, LauncherPool } from './launcher/launcher-pool.ts';
import { LEAN } from './lean.ts';
import { LeanRemains } from './lean-remains.ts';
import { LeanSandbox } from './lean-sandbox.ts';
import { procViewOf, readHostProc, readLastCapability } from './proc-view.ts';
import { ScratchDisks } from './scratch-disks.ts';
import type { SandboxUsers } from './user-pool.ts';

/** Ours, in the sandbox's cgroup besides those of the image. */
const INIT_PROCESSES = 1;

export interface LeanSandboxFactoryOptions {
  readonly cgroups: CgroupPool;
  readonly users: SandboxUsers;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Launchers kept booted, so that a start need not wait for a new process. */
  readonly launchersReady?: number;
  /**
   * A directory of this instance's own, in which the sandboxes' /tmp rest, as sparse files.
   * Without it /tmp is memory, and what it holds counts as the sandbox's memory.
   */
  readonly scratchDirectory?: string;
  /** For named pipes with the sandboxes' output, if another process than this one is to read it. */
  readonly pipesDirectory?: string;
  /** Reads disks past the page cache of the file that holds them (default: true). */
  readonly directIo?: boolean;
  /** What sandboxes may reach besides themselves; nothing if absent. */
  readonly network?: LauncherNetwork | undefined;
}

/** Who reads a sandbox's output by named pipes has them open before they are the sandbox's own. */
export interface LeanOwner extends SandboxOwner {
  /** The start goes on when it resolves. */
  readonly onBegun?: (launcher: Launcher, cgroup: string) => Promise<void>;
}

/**
 * Starts lean sandboxes: a process tree in namespaces of its own, on a read-only disk, in a
 * cgroup, without capabilities, under a system call filter (docs/decisions). For trusted tenants:
 * all sandboxes share the host's kernel.
 */
export class LeanSandboxFactory implements SandboxProvider {
  readonly isolation = LEAN;
  readonly #options: LeanSandboxFactoryOptions;
  readonly #launchers: LauncherPool;
  readonly #hostProc = readHostProc();
  readonly #lastCapability = readLastCapability();
  readonly #scratch: ScratchDisks | undefined;
  readonly #sandboxes = new Set<LeanSandbox>();
  readonly #starts = new Set<Promise<LeanSandbox>>();
  #closed = false;

  constructor(options: LeanSandboxFactoryOptions) {
    this.#options = options;
    const { scratchDirectory } = options;
    if (scratchDirectory !== undefined) this.#scratch = new ScratchDisks(scratchDirectory);
    this.#launchers = new LauncherPool(
      hostArchitecture(),
      options.launchersReady ?? limits.sandbox.launchersReady,
      options.clock,
      options.network,
      options.pipesDirectory,
    );
  }

  async start(spec: SandboxSpec, owner: LeanOwner, left?: SandboxRemains): Promise<LeanSandbox> {
    const remains = await this.#remainsOf(spec, owner, left);
    const start = this.#startOn(remains, spec, owner);
    this.#starts.add(start);
    try {
      return await start;
    } finally {
      this.#starts.delete(start);
    }
  }

  async restore(_snapshot: SandboxSnapshot, spec: SandboxSpec): Promise<Sandbox> {
    throw isolationLacks(LEAN, 'restore', spec.identity.sandboxId);
  }

  /** Gets ready for starts with so much room in `/tmp`, so that the first one waits for nothing. */
  async warm(tmpBytes: number): Promise<void> {
    await this.#scratch?.prepare(tmpBytes);
  }

  /** Removes what an earlier, killed life of this instance left; others are not touched. */
  async sweep(): Promise<SweepReport> {
    await this.#scratch?.sweep();
    return this.#options.cgroups.sweep();
  }

  /**
   * Stops every sandbox, and removes the launchers and cgroups that stood ready, whatever fails of
   * it; rejects then with the first failure.
   */
  async close(): Promise<void> {
    this.#closed = true;
    const stops = await Promise.allSettled([...this.#sandboxes].map((sandbox) => sandbox.stop()));
    await Promise.allSettled(this.#starts);
    await this.#launchers.close();
    await this.#options.cgroups.close();
    const failed = stops.find((stop) => stop.status === 'rejected');
    if (failed) throw failed.reason;
  }

  async #remainsOf(
    spec: SandboxSpec,
    owner: SandboxOwner,
    left: SandboxRemains | undefined,
  ): Promise<LeanRemains> {
    try {
      checkSpec(spec);
      owner.signal?.throwIfAborted();
      this.#refuseIfClosed(spec);
      const { users } = this.#options;
      if (!left) return new LeanRemains(users, this.#scratch, spec.shape.tmpBytes);
      if (left instanceof LeanRemains) return left;
      throw isolationLacks(LEAN, 'start on the remains of', spec.identity.sandboxId);
    } catch (error) {
      await left?.discard();
      throw error;
    }
  }

  /** A spawner that dies under a start is no fault of the start, and has a successor. */
  async #startOn(remains: LeanRemains, spec: SandboxSpec, owner: LeanOwner): Promise<LeanSandbox> {
    try {
      return await this.#start(remains, spec, owner).catch((error) => {
        const isSpawners =
          isSluiceError(error, 'SANDBOX_START_FAILED') && error.data['spawnerLost'];
        if (!isSpawners) throw error;
        return this.#start(remains, spec, owner);
      });
    } catch (error) {
      await remains.discard();
      throw error;
    }
  }

  #refuseIfClosed({ identity }: SandboxSpec): void {
    if (this.#closed) throw new SluiceError('CANCELLED', `${identity.sandboxId}: shutting down`);
  }

  async #start(remains: LeanRemains, spec: SandboxSpec, owner: LeanOwner): Promise<LeanSandbox> {
    const { cgroups, clock } = this.#options;
    const { sandboxId, deadlineMs } = spec.identity;
    const beganMs = clock.monotonicMs();
    const { launcher, cgroup, network } = await this.#acquire(spec);
    const acquiredMs = clock.monotonicMs();
    const privileges = { ...remains.user, lastCapability: this.#lastCapability };
    const sandbox = new LeanSandbox({
      ...{ spec, owner, launcher, cgroup, privileges, remains, clock },
      pool: cgroups,
      onStopped: () => this.#sandboxes.delete(sandbox),
    });
    this.#sandboxes.add(sandbox);
    try {
      this.#refuseIfClosed(spec);
      const leftMs = Math.max(0, deadlineMs - acquiredMs);
      const launch = async () => {
        if (launcher.pipes) await owner.onBegun?.(launcher, cgroup.name);
        await this.#launch(sandbox, spec, remains, {
          join: cgroup.join,
          cgroups: cgroup.views,
          launcherId: launcher.launcherId,
          network,
          privileges,
        });
      };
      await withDeadline(clock, leftMs, `start of ${sandboxId}`, launch, owner.signal);
      cgroup.limitCpu(spec.shape.cpuMillis);
      this.#options.logger.debug(
        { sandboxId, beganMs, acquiredMs, ...sandbox.milestones },
        'sandbox started',
      );
      remains.use();
      return sandbox.live();
    } catch (error) {
      // It may be tried again; if somebody stopped it meanwhile, that is not.
      await sandbox.reset().catch(() => sandbox.stop());
      throw error;
    }
  }

  async #launch(
    sandbox: LeanSandbox,
    spec: SandboxSpec,
    remains: LeanRemains,
    where: {
      readonly join: CgroupJoin;
      readonly cgroups: readonly CgroupView[];
      readonly launcherId: number;
      readonly network: SandboxNetwork | undefined;
      readonly privileges: PrivilegeOptions;
    },
  ): Promise<void> {
    const { hostMounts = [] } = spec.shape;
    const owned = await ownersOf(hostMounts);
    const program = composeStart(spec, {
      architecture: hostArchitecture(),
      ...where,
      proc: procViewOf(this.#hostProc, spec.shape),
      directIo: this.#options.directIo ?? true,
      hostMounts: owned,
      tmp: await remains.tmp(),
    });
    await sandbox.launch(program);
  }

  async #acquire({ shape }: SandboxSpec) {
    const { cgroups, network } = this.#options;
    const cgroup = await cgroups.acquire();
    try {
      cgroup.limit({ memoryBytes: shape.memoryBytes, processes: shape.processes + INIT_PROCESSES });
      const { launcher, address } = await this.#launchers.acquire();
      const joined = address && network && { ...address, nameservers: network.nameservers };
      return { launcher, cgroup, network: joined };
    } catch (error) {
      await cgroups.release(cgroup);
      throw error;
    }
  }
}
