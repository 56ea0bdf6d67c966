import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants as fsConstants, openSync } from 'node:fs';
import { Server, Socket } from 'node:net';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { assert, SluiceError } from '../../base/mod.ts';
import { composeBoot } from '../compose/boot.ts';
import { RECORD, RECORD_BYTES, STDERR_READ_FD, STDOUT_READ_FD } from '../compose/common.ts';
import type { LaunchProgram } from './program.ts';
import type { Architecture } from './system-call-numbers.ts';

/** A record of the status channel, its step already named. */
export type LaunchRecord =
  | { readonly kind: 'failed'; readonly step: string; readonly errno: number }
  | { readonly kind: 'loop'; readonly number: number }
  | { readonly kind: 'started' }
  | { readonly kind: 'exited'; readonly waitStatus: number };

export interface LauncherEvents {
  onRecord(record: LaunchRecord): void;
  onServer(server: Server): void;
  /** The monitor and with it every process of its sandbox is gone. */
  onGone(): void;
}

/** The processor that this Node runs on, as the launch binaries name it. */
export function hostArchitecture(): Architecture {
  if (process.arch === 'x64') return 'x86_64';
  if (process.arch === 'arm64') return 'aarch64';
  throw new SluiceError(
    'HOST_LACKS',
    `${process.arch}: lean sandboxes need a processor of type x64 or arm64`,
  );
}

/**
 * One `launch` process. It boots by itself as soon as it is spawned, and waits for the one
 * program that makes it the monitor of a sandbox. It dies with this process, and with it all
 * that it started.
 */
export class Launcher {
  readonly booted: Promise<void>;
  readonly gone: Promise<void>;
  readonly #child: ChildProcess;
  readonly #control: Writable;
  readonly #programs: LaunchProgram[];
  #events: LauncherEvents | undefined;
  #boot = Promise.withResolvers<void>();
  #pending = Buffer.alloc(0);
  #output: { stdout: Readable; stderr: Readable } | undefined;

  constructor(architecture: Architecture) {
    const boot = composeBoot(architecture);
    this.#programs = [boot];
    const binary = fileURLToPath(new URL(`launch.${architecture}`, import.meta.url));
    this.#child = spawn(binary, [], {
      argv0: 'init',
      env: {},
      cwd: '/',
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'json',
    });
    this.booted = this.#boot.promise;
    this.booted.catch(() => {});
    const [, , , control, status] = this.#child.stdio;
    this.#control = control as Writable;
    this.#control.on('error', () => {});
    (status as Readable).on('error', () => {}).on('data', (chunk) => this.#read(chunk));
    const ended = new Promise<void>((resolve) => {
      this.#child.once('error', () => resolve());
      this.#child.once('exit', () => resolve());
    });
    const read = new Promise<void>((resolve) => (status as Readable).once('close', resolve));
    this.gone = Promise.all([ended, read]).then(() => this.#die());
    this.#child.on('message', (_message, server) => {
      if (server instanceof Server) this.#events?.onServer(server);
      if (this.#child.connected) this.#child.disconnect();
    });
    this.#control.write(boot.encode());
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The entrypoint's output; there once the launcher booted. */
  get output(): { readonly stdout: Readable; readonly stderr: Readable } {
    assert(this.#output !== undefined, 'the launcher booted');
    return this.#output;
  }

  /** Sends the program; from now on records and the end go to `events`. */
  run(program: LaunchProgram, events: LauncherEvents): void {
    assert(this.#events === undefined, 'a launcher runs one program after its boot');
    this.#events = events;
    this.#programs.push(program);
    this.#control.write(program.encode());
  }

  /** Closes the control channel, upon which the monitor kills all and leaves. */
  end(): void {
    this.#control.destroy();
    if (this.#child.connected) this.#child.disconnect();
  }

  /** For a monitor that does not leave by itself. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #read(chunk: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    while (this.#pending.length >= RECORD_BYTES) {
      const record = this.#pending.subarray(0, RECORD_BYTES);
      this.#pending = this.#pending.subarray(RECORD_BYTES);
      this.#dispatch(record);
    }
  }

  #dispatch(record: Buffer): void {
    const kind = record.readUInt32LE(0);
    const value = record.readUInt32LE(12);
    if (kind === RECORD.failed) {
      const program = this.#programs[record.readUInt32LE(4)];
      const step = program?.stepName(record.readUInt32LE(8)) ?? 'unknown step';
      if (this.#output === undefined) this.#boot.reject(bootError(`${step}: ${errnoName(value)}`));
      this.#events?.onRecord({ kind: 'failed', step, errno: value });
    } else if (kind === RECORD.ready) this.#onReady();
    else if (kind === RECORD.loop) this.#events?.onRecord({ kind: 'loop', number: value });
    else if (kind === RECORD.started) this.#events?.onRecord({ kind: 'started' });
    else if (kind === RECORD.exited) {
      this.#events?.onRecord({ kind: 'exited', waitStatus: value });
    }
  }

  #onReady(): void {
    try {
      const stdout = openPipe(this.pid, STDOUT_READ_FD);
      const stderr = openPipe(this.pid, STDERR_READ_FD);
      this.#output = { stdout, stderr };
      this.#boot.resolve();
    } catch (error) {
      this.#boot.reject(error);
    }
  }

  #die(): void {
    this.#boot.reject(bootError('ended before it was ready'));
    this.#events?.onGone();
  }
}

function bootError(what: string): SluiceError {
  return new SluiceError('SANDBOX_START_FAILED', `launch: ${what}`, { data: { step: 'boot' } });
}

export function errnoName(errno: number): string {
  const entry = Object.entries(constants.errno).find(([, value]) => value === errno);
  return entry?.[0] ?? `errno ${errno}`;
}

/** A pipe of another process, opened anew: the flags of its own end stay as they are. */
function openPipe(pid: number, fd: number): Readable {
  const own = openSync(`/proc/${pid}/fd/${fd}`, fsConstants.O_RDONLY | fsConstants.O_NONBLOCK);
  try {
    return new Socket({ fd: own, readable: true, writable: false });
  } catch (error) {
    closeSync(own);
    throw error;
  }
}
