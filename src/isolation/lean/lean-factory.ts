import {
  type Clock,
  isSluiceError,
  type Logger,
  limits,
  SluiceError,
  withDeadline,
} from '../../base/mod.ts';
import type { CgroupPool } from '../cgroup/pool.ts';
import type { CgroupJoin } from '../cgroup/types.ts';
import { checkSpec } from '../spec.ts';
import type { Sandbox, SandboxSpec, SweepReport } from '../types.ts';
import { composeStart, type SandboxNetwork } from './compose/start.ts';
import { hostArchitecture } from './launcher/launcher.ts';
import { type LauncherNetwork, LauncherPool } from './launcher/launcher-pool.ts';
import { LeanSandbox } from './lean-sandbox.ts';
import { ScratchDisks } from './scratch-disks.ts';

/** Ours, in the sandbox's cgroup besides those of the image. */
const INIT_PROCESSES = 1;

export interface LeanSandboxFactoryOptions {
  readonly cgroups: CgroupPool;
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
export class LeanSandboxFactory {
  readonly #options: LeanSandboxFactoryOptions;
  readonly #launchers: LauncherPool;
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

  /**
   * Resolves when the entrypoint runs. Throws `USAGE` for a spec that cannot be, and
   * `SANDBOX_START_FAILED` naming the step; nothing is left of a start that failed.
   */
  async start(spec: SandboxSpec, signal?: AbortSignal): Promise<Sandbox> {
    checkSpec(spec);
    signal?.throwIfAborted();
    if (this.#closed) throw new SluiceError('CANCELLED', `${spec.sandboxId}: shutting down`);
    const start = this.#startAnyway(spec, signal);
    this.#starts.add(start);
    try {
      return await start;
    } finally {
      this.#starts.delete(start);
    }
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

  /** Stops every sandbox, and removes the launchers and cgroups that stood ready. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#sandboxes].map((sandbox) => sandbox.stop()));
    await Promise.allSettled(this.#starts);
    await this.#launchers.close();
    await this.#options.cgroups.close();
  }

  /** A spawner that dies under a start is no fault of the start, and has a successor. */
  async #startAnyway(spec: SandboxSpec, signal: AbortSignal | undefined): Promise<Sandbox> {
    try {
      return await this.#start(spec, signal);
    } catch (error) {
      if (!isSluiceError(error, 'SANDBOX_START_FAILED') || !error.data['spawnerLost']) throw error;
      return this.#start(spec, signal);
    }
  }

  async #start(spec: SandboxSpec, signal: AbortSignal | undefined): Promise<Sandbox> {
    const { cgroups, clock } = this.#options;
    const beganMs = clock.monotonicMs();
    const { launcher, cgroup, network } = await this.#acquire(spec);
    const acquiredMs = clock.monotonicMs();
    const onStopped = () => this.#sandboxes.delete(sandbox);
    const parts = { spec, launcher, cgroup, pool: cgroups, clock, onStopped };
    const sandbox = new LeanSandbox(parts);
    this.#sandboxes.add(sandbox);
    try {
      if (this.#closed) throw new SluiceError('CANCELLED', `${spec.sandboxId}: shutting down`);
      const timeoutMs = limits.sandbox.startTimeoutMs;
      const launch = () =>
        this.#launch(sandbox, spec, {
          join: cgroup.join,
          launcherId: launcher.launcherId,
          network,
        });
      await withDeadline(clock, timeoutMs, `start of ${spec.sandboxId}`, launch, signal);
      cgroup.limitCpu(spec.cpuMillis);
      this.#options.logger.debug(
        { sandboxId: spec.sandboxId, beganMs, acquiredMs, ...sandbox.milestones },
        'sandbox started',
      );
      return sandbox;
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
      readonly launcherId: number;
      readonly network: SandboxNetwork | undefined;
    },
  ): Promise<void> {
    const path = await this.#scratch?.create(spec.tmpBytes);
    try {
      const program = composeStart(spec, {
        architecture: hostArchitecture(),
        ...where,
        directIo: this.#options.directIo ?? true,
        tmp: path === undefined ? { kind: 'memory', bytes: spec.tmpBytes } : { kind: 'disk', path },
      });
      await sandbox.launch(program);
    } catch (error) {
      if (path !== undefined) await this.#scratch?.remove(path);
      throw error;
    }
  }

  async #acquire(spec: SandboxSpec) {
    const { cgroups, network } = this.#options;
    const cgroup = await cgroups.acquire();
    try {
      cgroup.limit({ memoryBytes: spec.memoryBytes, processes: spec.processes + INIT_PROCESSES });
      const { launcher, address } = await this.#launchers.acquire();
      const joined = address && network && { ...address, nameservers: network.nameservers };
      return { launcher, cgroup, network: joined };
    } catch (error) {
      await cgroups.release(cgroup);
      throw error;
    }
  }
}
