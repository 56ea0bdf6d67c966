import type { Server, Socket } from 'node:net';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { type Clock, limits, SluiceError } from '../base/mod.ts';
import type { CgroupPool } from './cgroup/pool.ts';
import type { Cgroup } from './cgroup/types.ts';
import type { Launcher, LaunchRecord } from './launch/launcher.ts';
import type { LaunchProgram } from './launch/program.ts';
import { LoopDevice } from './loop-device.ts';
import { startError } from './start-error.ts';
import type { Sandbox, SandboxExit, SandboxSpec } from './types.ts';

const POLL_MS = 1;

export interface LeanSandboxParts {
  readonly spec: SandboxSpec;
  readonly launcher: Launcher;
  readonly cgroup: Cgroup;
  readonly pool: CgroupPool;
  readonly clock: Clock;
}

/** A sandbox of namespaces, a cgroup and a system call filter, driven by its launcher's records. */
export class LeanSandbox implements Sandbox {
  readonly sandboxId: string;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exited: Promise<SandboxExit>;
  readonly #parts: LeanSandboxParts;
  readonly #started = Promise.withResolvers<void>();
  readonly #served = Promise.withResolvers<Server>();
  readonly #connections = new Set<Socket>();
  #server: Server | undefined;
  #loop: LoopDevice | undefined;
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
    this.#parts.launcher.run(program, {
      onRecord: (record) => this.#onRecord(record),
      onServer: (server) => this.#onServer(server),
      onGone: () => this.#refuseStart('it was killed while it started'),
    });
    await Promise.all([this.#started.promise, this.#served.promise]);
  }

  freeze(): Promise<void> {
    return this.#parts.cgroup.freeze();
  }

  thaw(): Promise<void> {
    return this.#parts.cgroup.thaw();
  }

  async peakMemoryBytes(): Promise<number> {
    if (this.#released) return this.#peakBytes;
    const peakBytes = await this.#parts.cgroup.peakMemoryBytes();
    this.#peakBytes = Math.max(this.#peakBytes, peakBytes);
    return this.#peakBytes;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const { launcher, cgroup, pool } = this.#parts;
    this.#closeServer();
    launcher.end();
    await cgroup.kill();
    await this.#until('its monitor does not leave', async () => {
      const settled = await Promise.race([
        launcher.gone.then(() => true),
        this.#parts.clock.sleep(limits.sandbox.stopGraceMs).then(() => false),
      ]);
      if (!settled) launcher.kill();
      return settled;
    });
    await this.exited;
    await this.peakMemoryBytes();
    const loop = this.#loop;
    if (loop !== undefined) await this.#until('its loop device stays', () => loop.isFree());
    this.#released = true;
    await pool.release(cgroup);
  }

  #closeServer(): void {
    this.#server?.close();
    for (const connection of this.#connections) connection.destroy();
  }

  #onRecord(record: LaunchRecord): void {
    if (record.kind === 'failed') {
      this.#started.reject(startError(this.#parts.spec, record.step, record.errno));
      this.#served.reject(startError(this.#parts.spec, record.step, record.errno));
    } else if (record.kind === 'loop') this.#loop = new LoopDevice(record.number);
    else if (record.kind === 'started') this.#started.resolve();
    else this.#waitStatus = record.waitStatus;
  }

  #onServer(server: Server): void {
    this.#server = server;
    if (this.#stopping !== undefined) this.#closeServer();
    server.on('connection', (connection) => {
      this.#connections.add(connection);
      connection.once('close', () => this.#connections.delete(connection));
    });
    this.#served.resolve(server);
  }

  #refuseStart(what: string): void {
    const { sandboxId } = this;
    const error = new SluiceError('SANDBOX_START_FAILED', `${sandboxId}: ${what}`, {
      data: { sandboxId, step: 'start' },
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

  async #until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const { clock } = this.#parts;
    const { stopTimeoutMs } = limits.sandbox;
    const untilMs = clock.monotonicMs() + stopTimeoutMs;
    while (!(await holds())) {
      if (clock.monotonicMs() > untilMs) {
        throw new SluiceError('INTERNAL', `${this.sandboxId}: ${what} after ${stopTimeoutMs} ms`);
      }
      await clock.sleep(POLL_MS);
    }
  }
}
