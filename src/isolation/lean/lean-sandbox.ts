import type { Server, Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { type Clock, limits, SluiceError, withDeadline } from '../../base/mod.ts';
import type { CgroupPool } from '../cgroup/pool.ts';
import type { Cgroup } from '../cgroup/types.ts';
import type { LaunchProgram } from '../launch/program.ts';
import { pollUntil } from '../poll.ts';
import type {
  Sandbox,
  SandboxExit,
  SandboxOwner,
  SandboxRemains,
  SandboxSnapshot,
} from '../provider.ts';
import { isolationLacks } from '../refusal.ts';
import type { SandboxSpec } from '../spec.ts';
import type { PrivilegeOptions } from './compose/privileges.ts';
import { ExtendedInit } from './extended-init.ts';
import { InnerConnections } from './inner-connections.ts';
import type { Launcher, LaunchRecord, ServerHandle } from './launcher/launcher.ts';
import { LEAN } from './lean.ts';
import type { LeanRemains } from './lean-remains.ts';
import { LifeGate } from './life-gate.ts';
import { LoopDevice } from './loop-device.ts';
import { RuntimeServer } from './runtime-server.ts';
import { signalChild } from './signal-inside.ts';
import { startError } from './start-error.ts';
import { StartProgress } from './start-progress.ts';
import { exitOfWaitStatus } from './wait-status.ts';

export interface LeanSandboxParts {
  readonly spec: SandboxSpec;
  readonly launcher: Launcher;
  readonly cgroup: Cgroup;
  readonly privileges: PrivilegeOptions;
  readonly pool: CgroupPool;
  readonly remains: LeanRemains;
  readonly clock: Clock;
  readonly owner: SandboxOwner;
  /** Nothing of its processes is left. */
  readonly onStopped: () => void;
}

/** A sandbox of namespaces, a cgroup and a system call filter, driven by its launcher's records. */
export class LeanSandbox implements Sandbox {
  readonly sandboxId: string;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly #parts: LeanSandboxParts;
  readonly #life: LifeGate;
  readonly #progress: StartProgress;
  readonly #server: RuntimeServer;
  readonly #inner: InnerConnections;
  readonly #entrypointEnded = Promise.withResolvers<void>();
  /** Settles when the owner has been told that the entrypoint ended. */
  readonly #exited: Promise<void>;
  readonly #loops: LoopDevice[] = [];
  #extended: ExtendedInit | undefined;
  #entrypointPid: number | undefined;
  #waitStatus: number | undefined;
  #peakBytes = 0;
  #released = false;
  #stopping: Promise<void> | undefined;

  constructor(parts: LeanSandboxParts) {
    const { launcher, cgroup, spec } = parts;
    this.#parts = parts;
    this.sandboxId = spec.identity.sandboxId;
    this.#life = new LifeGate(parts.owner.onEvent);
    this.#progress = new StartProgress(this.sandboxId, parts.clock);
    this.#server = new RuntimeServer(this.sandboxId);
    this.#inner = new InnerConnections(launcher, cgroup.join, this.sandboxId);
    this.stdout = launcher.output.stdout;
    this.stderr = launcher.output.stderr;
    const ended = Promise.race([launcher.gone, this.#entrypointEnded.promise]);
    this.#exited = ended.then(async () => {
      this.#life.tell({ kind: 'exited', exit: await this.#describeExit() });
    });
  }

  get runtimeApi(): Server {
    return this.#server.server;
  }

  /** The same, to be passed on to another process; then `runtimeApi` is not for this one. */
  get runtimeHandle(): ServerHandle {
    return this.#server.handle;
  }

  get externalExtensions(): readonly string[] {
    return this.#extended?.names ?? [];
  }

  get extensionOutput(): Readable | undefined {
    return this.externalExtensions.length > 0 ? this.#extended?.output : undefined;
  }

  /** When the parts of the start were done, by the clock's monotonic milliseconds. */
  get milestones(): StartProgress['milestones'] {
    return this.#progress.milestones;
  }

  /** Resolves when the entrypoint runs, or the extensions if there are any; rejects with `SANDBOX_START_FAILED` naming the step. */
  async launch(program: LaunchProgram): Promise<void> {
    if (this.#stopping !== undefined) {
      throw new SluiceError('CANCELLED', `${this.sandboxId}: stopped before it started`);
    }
    const progress = this.#progress;
    this.#parts.launcher.run(program, {
      onRecord: (record) => this.#onRecord(record),
      onServer: (server) => {
        this.#server.arrive(server);
        progress.serves();
      },
      onConnection: (connectionId, socket) => this.#inner.hand(connectionId, socket),
      onSpawnerLost: () => progress.refuse('the spawner ended while it started', true),
      onGone: () => {
        // An entrypoint that ended at once did start, and its server is on its way.
        if (!progress.entrypointStarted) progress.refuse('it was killed while it started');
        this.#extended?.close();
      },
    });
    await Promise.all([progress.started.promise, progress.served.promise]);
    if (this.externalExtensions.length === 0) await this.startEntrypoint();
  }

  /** Its start has succeeded: from now on the owner is told what happens, and what has happened. */
  live(): this {
    this.#life.open();
    return this;
  }

  async startEntrypoint(): Promise<void> {
    if (!this.#progress.entrypointStarted) this.#extended?.startEntrypoint();
    await this.#progress.entrypoint.promise;
  }

  async terminate(): Promise<void> {
    if (this.#entrypointPid === undefined || this.#waitStatus !== undefined) return;
    await signalChild(await this.#progress.initPid.promise, this.#entrypointPid, 'SIGTERM');
  }

  connect(port: number): Promise<Socket> {
    return this.#inner.connect(port);
  }

  async freeze(): Promise<void> {
    if (!this.#released) await this.#parts.cgroup.freeze();
  }

  async thaw(): Promise<void> {
    if (!this.#released) await this.#parts.cgroup.thaw();
  }

  limitCpu(cpuMillis: number): void {
    if (!this.#released) this.#parts.cgroup.limitCpu(cpuMillis);
  }

  async peakMemoryBytes(): Promise<number> {
    if (this.#released) return this.#peakBytes;
    const peakBytes = await this.#parts.cgroup.peakMemoryBytes();
    this.#peakBytes = Math.max(this.#peakBytes, peakBytes);
    return this.#peakBytes;
  }

  async capture(): Promise<SandboxSnapshot> {
    throw isolationLacks(LEAN, 'capture', this.sandboxId);
  }

  async fork(spec: SandboxSpec): Promise<Sandbox> {
    throw isolationLacks(LEAN, 'fork', spec.identity.sandboxId);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#end().then(() => this.#parts.remains.discard());
    return this.#stopping;
  }

  async reset(): Promise<SandboxRemains> {
    if (this.#stopping) throw new SluiceError('CANCELLED', `${this.sandboxId}: stops already`);
    this.#stopping = this.#end();
    await this.#stopping;
    return this.#parts.remains;
  }

  async #end(): Promise<void> {
    const { launcher, cgroup, pool, clock } = this.#parts;
    const { stopGraceMs, stopTimeoutMs } = limits.sandbox;
    this.#server.close();
    launcher.end();
    await cgroup.kill();
    const what = `${this.sandboxId}: end of its processes`;
    await withDeadline(clock, stopGraceMs, what, () => launcher.gone).catch(() => launcher.kill());
    await withDeadline(clock, stopTimeoutMs, what, () => launcher.gone);
    await this.#exited;
    await this.peakMemoryBytes();
    this.#released = true;
    this.#discardOutput();
    await pool.release(cgroup);
    for (const loop of this.#loops) {
      const stays = `${this.sandboxId}: its loop device stays`;
      await pollUntil(clock, stays, stopTimeoutMs, () => loop.isFree());
    }
    this.#parts.onStopped();
    this.#life.tell({ kind: 'stopped' });
  }

  /** Lets go of output that nobody began to read; what is being read can be read to its end. */
  #discardOutput(): void {
    for (const stream of [this.stdout, this.stderr, this.#extended?.output]) {
      if (stream?.readableFlowing === null) stream.resume();
    }
  }

  #onRecord(record: LaunchRecord): void {
    const { spec } = this.#parts;
    const progress = this.#progress;
    switch (record.kind) {
      case 'failed':
        if (this.#extended?.takeFailure(record.step, record.errno)) return;
        progress.fail(startError(spec, record.step, record.errno));
        return;
      case 'loop':
        progress.diskMounted();
        this.#loops.push(new LoopDevice(record.number));
        return;
      case 'init':
        progress.initPid.resolve(record.pid);
        return;
      case 'extensions':
        void this.#startExtensions();
        return;
      case 'extensionsStarted':
        progress.started.resolve();
        return;
      case 'extensionExited':
        this.#extended?.extensionExited(record.index, record.waitStatus);
        return;
      case 'started':
        this.#entrypointPid = record.pid;
        progress.entrypointRuns();
        return;
      case 'exited':
        this.#waitStatus = record.waitStatus;
        if (this.#extended) this.#entrypointEnded.resolve();
    }
  }

  async #startExtensions(): Promise<void> {
    const { spec, launcher, privileges } = this.#parts;
    try {
      this.#extended = await ExtendedInit.open({
        spec,
        privileges,
        launcher,
        initPid: await this.#progress.initPid.promise,
        onExit: (name, exit) => this.#life.tell({ kind: 'extension-exited', name, exit }),
      });
      this.#extended.startExtensions();
    } catch (error) {
      this.#progress.fail(error);
    }
  }

  async #describeExit(): Promise<SandboxExit> {
    const oomKilled = (await this.#parts.cgroup.oomKills().catch(() => 0)) > 0;
    if (this.#waitStatus === undefined) return { exitCode: null, signal: 'SIGKILL', oomKilled };
    return { ...exitOfWaitStatus(this.#waitStatus), oomKilled };
  }
}
