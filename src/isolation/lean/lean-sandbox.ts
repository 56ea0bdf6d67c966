import type { Server, Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { type Clock, limits, SluiceError, withDeadline } from '../../base/mod.ts';
import type { CgroupPool } from '../cgroup/pool.ts';
import type { Cgroup } from '../cgroup/types.ts';
import type { LaunchProgram } from '../launch/program.ts';
import { pollUntil } from '../poll.ts';
import type { Sandbox, SandboxExit, SandboxExtension, SandboxSpec } from '../types.ts';
import { ExtendedInit } from './extended-init.ts';
import { InnerConnections } from './inner-connections.ts';
import type { Launcher, LaunchRecord } from './launcher/launcher.ts';
import { LoopDevice } from './loop-device.ts';
import { signalChild } from './signal-inside.ts';
import { startError } from './start-error.ts';
import { exitOfWaitStatus } from './wait-status.ts';

export interface LeanSandboxParts {
  readonly spec: SandboxSpec;
  readonly launcher: Launcher;
  readonly cgroup: Cgroup;
  readonly pool: CgroupPool;
  readonly clock: Clock;
  /** Nothing of the sandbox is left. */
  readonly onStopped: () => void;
}

/** A sandbox of namespaces, a cgroup and a system call filter, driven by its launcher's records. */
export class LeanSandbox implements Sandbox {
  readonly sandboxId: string;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exited: Promise<SandboxExit>;
  /** When the parts of the start were done, by the clock's monotonic milliseconds. */
  readonly milestones: { servedMs?: number; mountedMs?: number; startedMs?: number } = {};
  readonly #parts: LeanSandboxParts;
  readonly #started = Promise.withResolvers<void>();
  readonly #served = Promise.withResolvers<Server>();
  readonly #initPid = Promise.withResolvers<number>();
  readonly #entrypoint = Promise.withResolvers<void>();
  readonly #entrypointEnded = Promise.withResolvers<void>();
  #extended: ExtendedInit | undefined;
  #entrypointPid: number | undefined;
  readonly #inner: InnerConnections;
  readonly #connections = new Set<Socket>();
  #server: Server | undefined;
  readonly #loops: LoopDevice[] = [];
  #waitStatus: number | undefined;
  #peakBytes = 0;
  #released = false;
  #stopping: Promise<void> | undefined;

  constructor(parts: LeanSandboxParts) {
    this.#parts = parts;
    this.sandboxId = parts.spec.sandboxId;
    this.#inner = new InnerConnections(parts.launcher, parts.cgroup.join, this.sandboxId);
    this.stdout = parts.launcher.output.stdout;
    this.stderr = parts.launcher.output.stderr;
    const ended = Promise.race([parts.launcher.gone, this.#entrypointEnded.promise]);
    this.exited = ended.then(() => this.#describeExit());
    for (const { promise } of [this.#started, this.#served, this.#initPid, this.#entrypoint]) {
      promise.catch(() => {});
    }
  }

  get runtimeApi(): Server {
    if (this.#server === undefined) {
      throw new SluiceError(
        'INTERNAL',
        `${this.sandboxId}: asked for its server before it started`,
      );
    }
    return this.#server;
  }

  get externalExtensions(): readonly SandboxExtension[] {
    return this.#extended?.extensions ?? [];
  }

  get extensionOutput(): Readable | undefined {
    return this.externalExtensions.length > 0 ? this.#extended?.output : undefined;
  }

  /** Resolves when the entrypoint runs, or the extensions if there are any; rejects with `SANDBOX_START_FAILED` naming the step. */
  async launch(program: LaunchProgram): Promise<void> {
    if (this.#stopping !== undefined) {
      throw new SluiceError('CANCELLED', `${this.sandboxId}: stopped before it started`);
    }
    this.#parts.launcher.run(program, {
      onRecord: (record) => this.#onRecord(record),
      onServer: (server) => this.#onServer(server),
      onConnection: (connectionId, socket) => this.#inner.hand(connectionId, socket),
      onSpawnerLost: () => this.#refuseStart('the spawner ended while it started', true),
      onGone: () => {
        // An entrypoint that ended at once did start, and its server is on its way.
        if (this.milestones.startedMs === undefined) {
          this.#refuseStart('it was killed while it started');
        }
        this.#extended?.close();
      },
    });
    await Promise.all([this.#started.promise, this.#served.promise]);
    if (this.externalExtensions.length === 0) await this.startEntrypoint();
  }

  async startEntrypoint(): Promise<void> {
    if (this.milestones.startedMs === undefined) this.#extended?.startEntrypoint();
    await this.#entrypoint.promise;
  }

  async terminate(): Promise<void> {
    if (this.#entrypointPid === undefined || this.#waitStatus !== undefined) return;
    await signalChild(await this.#initPid.promise, this.#entrypointPid, 'SIGTERM');
  }

  connect(port: number): Promise<Socket> {
    return this.#inner.connect(port);
  }

  freeze(): Promise<void> {
    return this.#parts.cgroup.freeze();
  }

  thaw(): Promise<void> {
    return this.#parts.cgroup.thaw();
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

  stop(): Promise<void> {
    this.#stopping ??= this.#stop().then(this.#parts.onStopped);
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const { launcher, cgroup, pool, clock } = this.#parts;
    const { stopGraceMs, stopTimeoutMs } = limits.sandbox;
    this.#closeServer();
    launcher.end();
    await cgroup.kill();
    const what = `${this.sandboxId}: end of its processes`;
    await withDeadline(clock, stopGraceMs, what, () => launcher.gone).catch(() => launcher.kill());
    await withDeadline(clock, stopTimeoutMs, what, () => launcher.gone);
    await this.exited;
    await this.peakMemoryBytes();
    this.#released = true;
    this.#discardOutput();
    await pool.release(cgroup);
    for (const loop of this.#loops) {
      const stays = `${this.sandboxId}: its loop device stays`;
      await pollUntil(clock, stays, stopTimeoutMs, () => loop.isFree());
    }
  }

  /** Lets go of output that nobody began to read; what is being read can be read to its end. */
  #discardOutput(): void {
    for (const stream of [this.stdout, this.stderr, this.#extended?.output]) {
      if (stream?.readableFlowing === null) stream.resume();
    }
  }

  #closeServer(): void {
    this.#server?.close();
    for (const connection of this.#connections) connection.destroy();
  }

  #onRecord(record: LaunchRecord): void {
    const { clock, spec } = this.#parts;
    switch (record.kind) {
      case 'failed':
        if (this.#extended?.takeFailure(record.step, record.errno)) return;
        this.#fail(startError(spec, record.step, record.errno));
        return;
      case 'loop':
        this.milestones.mountedMs = clock.monotonicMs();
        this.#loops.push(new LoopDevice(record.number));
        return;
      case 'init':
        this.#initPid.resolve(record.pid);
        return;
      case 'extensions':
        void this.#startExtensions();
        return;
      case 'extensionsStarted':
        this.#started.resolve();
        return;
      case 'extensionExited':
        this.#extended?.extensionExited(record.index, record.waitStatus);
        return;
      case 'started':
        this.milestones.startedMs = clock.monotonicMs();
        this.#entrypointPid = record.pid;
        this.#started.resolve();
        this.#entrypoint.resolve();
        return;
      case 'exited':
        this.#waitStatus = record.waitStatus;
        if (this.#extended) this.#entrypointEnded.resolve();
    }
  }

  async #startExtensions(): Promise<void> {
    const { spec, launcher } = this.#parts;
    try {
      this.#extended = await ExtendedInit.open(spec, launcher, await this.#initPid.promise);
      this.#extended.startExtensions();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    for (const each of [this.#started, this.#served, this.#initPid, this.#entrypoint]) {
      each.reject(error);
    }
  }

  #onServer(server: Server): void {
    this.#server = server;
    this.milestones.servedMs = this.#parts.clock.monotonicMs();
    if (this.#stopping !== undefined) this.#closeServer();
    server.on('connection', (connection) => {
      this.#connections.add(connection);
      connection.once('close', () => this.#connections.delete(connection));
    });
    this.#served.resolve(server);
  }

  #refuseStart(what: string, spawnerLost = false): void {
    const { sandboxId } = this;
    const error = new SluiceError('SANDBOX_START_FAILED', `${sandboxId}: ${what}`, {
      data: { sandboxId, step: 'start', spawnerLost },
    });
    this.#fail(error);
  }

  async #describeExit(): Promise<SandboxExit> {
    const oomKilled = (await this.#parts.cgroup.oomKills().catch(() => 0)) > 0;
    if (this.#waitStatus === undefined) return { exitCode: null, signal: 'SIGKILL', oomKilled };
    return { ...exitOfWaitStatus(this.#waitStatus), oomKilled };
  }
}
