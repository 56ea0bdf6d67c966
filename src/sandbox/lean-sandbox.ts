import type { Server, Socket } from 'node:net';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { type Clock, limits, SluiceError, withDeadline } from '../base/mod.ts';
import type { CgroupPool } from './cgroup/pool.ts';
import type { Cgroup } from './cgroup/types.ts';
import type { Launcher, LaunchRecord } from './launch/launcher.ts';
import type { LaunchProgram } from './launch/program.ts';
import { LoopDevice } from './loop-device.ts';
import { pollUntil } from './poll.ts';
import { startError } from './start-error.ts';
import type { Sandbox, SandboxExit, SandboxSpec } from './types.ts';

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
    this.stdout = parts.launcher.output.stdout;
    this.stderr = parts.launcher.output.stderr;
    this.exited = parts.launcher.gone.then(() => this.#describeExit());
    for (const promise of [this.#started.promise, this.#served.promise]) promise.catch(() => {});
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

  /** Resolves when the entrypoint runs; rejects with `SANDBOX_START_FAILED` naming the step. */
  async launch(program: LaunchProgram): Promise<void> {
    if (this.#stopping !== undefined) {
      throw new SluiceError('CANCELLED', `${this.sandboxId}: stopped before it started`);
    }
    this.#parts.launcher.run(program, {
      onRecord: (record) => this.#onRecord(record),
      onServer: (server) => this.#onServer(server),
      onSpawnerLost: () => this.#refuseStart('the spawner ended while it started', true),
      onGone: () => {
        // An entrypoint that ended at once did start, and its server is on its way.
        if (this.milestones.startedMs === undefined) {
          this.#refuseStart('it was killed while it started');
        }
      },
    });
    await Promise.all([this.#started.promise, this.#served.promise]);
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
    for (const stream of [this.stdout, this.stderr]) {
      if (stream.readableFlowing === null) stream.resume();
    }
  }

  #closeServer(): void {
    this.#server?.close();
    for (const connection of this.#connections) connection.destroy();
  }

  #onRecord(record: LaunchRecord): void {
    if (record.kind === 'failed') {
      this.#started.reject(startError(this.#parts.spec, record.step, record.errno));
      this.#served.reject(startError(this.#parts.spec, record.step, record.errno));
    } else if (record.kind === 'loop') {
      this.milestones.mountedMs = this.#parts.clock.monotonicMs();
      this.#loops.push(new LoopDevice(record.number));
    } else if (record.kind === 'started') {
      this.milestones.startedMs = this.#parts.clock.monotonicMs();
      this.#started.resolve();
    } else this.#waitStatus = record.waitStatus;
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
    this.#started.reject(error);
    this.#served.reject(error);
  }

  async #describeExit(): Promise<SandboxExit> {
    const oomKilled = (await this.#parts.cgroup.oomKills().catch(() => 0)) > 0;
    if (this.#waitStatus === undefined) return { exitCode: null, signal: 'SIGKILL', oomKilled };
    const signalNumber = this.#waitStatus & 0x7f;
    if (signalNumber === 0) {
      return { exitCode: (this.#waitStatus >> 8) & 0xff, signal: null, oomKilled };
    }
    const known = Object.entries(constants.signals).find(([, number]) => number === signalNumber);
    return { exitCode: null, signal: known?.[0] ?? `SIG${signalNumber}`, oomKilled };
  }
}
