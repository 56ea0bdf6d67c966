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
  SandboxSnapshot,
  SweepReport,
} from '../provider.ts';
import { isolationLacks } from '../refusal.ts';
import { checkSpec, type SandboxSpec } from '../spec.ts';
import type { PrivilegeOptions } from './compose/privileges.ts';
import { composeStart, type SandboxNetwork } from './compose/start.ts';
import { ownersOf } from './host-mounts.ts';
import { hostArchitecture } from './launcher/launcher.ts';
import { type LauncherNetwork, LauncherPool } from './launcher/launcher-pool.ts';
import { LEAN } from './lean.ts';
import { LeanSandbox } from './lean-sandbox.ts';
import { procViewOf, readHostProc, readLastCapability } from './proc-view.ts';
import { ScratchDisks } from './scratch-disks.ts';
import type { SandboxUser, SandboxUsers } from './user-pool.ts';

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
   * A directory of this instance's own, in which the sandboxes' /tmp rest, as sparse files that are
   * unlinked at once. Without it /tmp is memory, and what it holds counts as the sandbox's memory.
   */
  readonly scratchDirectory?: string;
  /** Reads disks past the page cache of the file that holds them (default: true). */
  readonly directIo?: boolean;
  /** What sandboxes may reach besides themselves; nothing if absent. */
  readonly network?: LauncherNetwork | undefined;
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
  readonly #starts = new Set<Promise<Sandbox>>();
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
    );
  }

  async start(spec: SandboxSpec, owner: SandboxOwner): Promise<Sandbox> {
    checkSpec(spec);
    owner.signal?.throwIfAborted();
    this.#refuseIfClosed(spec);
    const start = this.#startAnyway(spec, owner);
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

  /** A spawner that dies under a start is no fault of the start, and has a successor. */
  async #startAnyway(spec: SandboxSpec, owner: SandboxOwner): Promise<Sandbox> {
    try {
      return await this.#start(spec, owner);
    } catch (error) {
      if (!isSluiceError(error, 'SANDBOX_START_FAILED') || !error.data['spawnerLost']) throw error;
      return this.#start(spec, owner);
    }
  }

  #refuseIfClosed({ identity }: SandboxSpec): void {
    if (this.#closed) throw new SluiceError('CANCELLED', `${identity.sandboxId}: shutting down`);
  }

  async #start(spec: SandboxSpec, owner: SandboxOwner): Promise<Sandbox> {
    const { cgroups, users, clock } = this.#options;
    const { sandboxId, deadlineMs } = spec.identity;
    const beganMs = clock.monotonicMs();
    const { launcher, cgroup, network, user } = await this.#acquire(spec);
    const acquiredMs = clock.monotonicMs();
    const onStopped = () => {
      this.#sandboxes.delete(sandbox);
      users.release(user);
    };
    const privileges = { ...user, lastCapability: this.#lastCapability };
    const parts = { spec, launcher, cgroup, privileges, pool: cgroups, clock, owner, onStopped };
    const sandbox = new LeanSandbox(parts);
    this.#sandboxes.add(sandbox);
    try {
      this.#refuseIfClosed(spec);
      const leftMs = Math.max(0, deadlineMs - acquiredMs);
      const launch = () =>
        this.#launch(sandbox, spec, {
          join: cgroup.join,
          cgroups: cgroup.views,
          launcherId: launcher.launcherId,
          network,
          privileges,
        });
      await withDeadline(clock, leftMs, `start of ${sandboxId}`, launch, owner.signal);
      cgroup.limitCpu(spec.shape.cpuMillis);
      this.#options.logger.debug(
        { sandboxId, beganMs, acquiredMs, ...sandbox.milestones },
        'sandbox started',
      );
      return sandbox.live();
    } catch (error) {
      await sandbox.stop();
      throw error;
    }
  }

  async #launch(
    sandbox: LeanSandbox,
    spec: SandboxSpec,
    where: {
      readonly join: CgroupJoin;
      readonly cgroups: readonly CgroupView[];
      readonly launcherId: number;
      readonly network: SandboxNetwork | undefined;
      readonly privileges: PrivilegeOptions;
    },
  ): Promise<void> {
    const { tmpBytes, hostMounts = [] } = spec.shape;
    const owned = await ownersOf(hostMounts);
    const path = await this.#scratch?.create(tmpBytes);
    try {
      const program = composeStart(spec, {
        architecture: hostArchitecture(),
        ...where,
        proc: procViewOf(this.#hostProc, spec.shape),
        directIo: this.#options.directIo ?? true,
        hostMounts: owned,
        tmp: path === undefined ? { kind: 'memory', bytes: tmpBytes } : { kind: 'disk', path },
      });
      await sandbox.launch(program);
    } catch (error) {
      if (path !== undefined) await this.#scratch?.remove(path);
      throw error;
    }
  }

  async #acquire({ shape }: SandboxSpec) {
    const { cgroups, network, users } = this.#options;
    const cgroup = await cgroups.acquire();
    let user: SandboxUser | undefined;
    try {
      user = users.acquire();
      cgroup.limit({ memoryBytes: shape.memoryBytes, processes: shape.processes + INIT_PROCESSES });
      const { launcher, address } = await this.#launchers.acquire();
      const joined = address && network && { ...address, nameservers: network.nameservers };
      return { launcher, cgroup, user, network: joined };
    } catch (error) {
      if (user) users.release(user);
      await cgroups.release(cgroup);
      throw error;
    }
  }
}
