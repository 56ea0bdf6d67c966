import { closeSync, constants as fsConstants, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import { Readable } from 'node:stream';
import { assert, SluiceError, systemErrorCode } from '../../../base/mod.ts';
import type { LaunchProgram } from '../../launch/program.ts';
import type { MachineArchitecture } from '../../launch/system-call-numbers.ts';
import {
  RECORD,
  RECORD_BYTES,
  RECORD_STEP_OFFSET,
  STDERR_READ_FD,
  STDOUT_READ_FD,
} from '../compose/common.ts';

/** A record of the status channel, its step already named. */
export type LaunchRecord =
  | { readonly kind: 'failed'; readonly step: string; readonly errno: number }
  | { readonly kind: 'loop'; readonly number: number }
  | { readonly kind: 'started'; readonly pid: number }
  | { readonly kind: 'exited'; readonly waitStatus: number }
  | { readonly kind: 'init'; readonly pid: number }
  | { readonly kind: 'extensions' }
  | { readonly kind: 'extensionsStarted' }
  | { readonly kind: 'extensionExited'; readonly index: number; readonly waitStatus: number };

/** A listening socket as Node was handed it; `Server.listen` takes it. */
export interface ServerHandle {
  close(): void;
}

/** Paths of the named pipes of an entrypoint's output. */
export interface OutputPipes {
  readonly stdout: string;
  readonly stderr: string;
}

export interface LauncherEvents {
  onRecord(record: LaunchRecord): void;
  /** May come after `onGone`: servers arrive on the spawner's channel, not on the launcher's. */
  onServer(server: ServerHandle): void;
  /** A connection that a program for the monitor asked for. */
  onConnection(connectionId: number, socket: Socket): void;
  /** No server will come any more, nor anything else that the spawner would bring. */
  onSpawnerLost(): void;
  /** The monitor and with it every process of its sandbox is gone. */
  onGone(): void;
}

/** The processor that this Node runs on, as the launch binaries name it. */
export function hostArchitecture(): MachineArchitecture {
  if (process.arch === 'x64') return 'x86_64';
  if (process.arch === 'arm64') return 'aarch64';
  throw new SluiceError(
    'HOST_LACKS',
    `${process.arch}: lean sandboxes need a processor of type x64 or arm64`,
  );
}

/**
 * One `launch` process, forked by the spawner, that waits for the one program that makes it the
 * monitor of a sandbox. It ends with its channel to this process, and with it all that it started.
 */
export class Launcher {
  readonly launcherId: number;
  readonly booted: Promise<void>;
  readonly gone: Promise<void>;
  readonly #boot = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<void>();
  readonly #gone = Promise.withResolvers<void>();
  #program: LaunchProgram;
  #channel: Socket | undefined;
  #events: LauncherEvents | undefined;
  #pid: number | undefined;
  #pending = Buffer.alloc(0);
  #output: { stdout: Readable; stderr: Readable } | undefined;
  #ended = false;
  readonly #pipes: OutputPipes | undefined;
  readonly #held: number[] = [];

  /** `boot` is the program that it was forked in, and says what may fail until it is ready. */
  constructor(launcherId: number, boot: LaunchProgram, pipes?: OutputPipes) {
    this.#pipes = pipes;
    this.launcherId = launcherId;
    this.#program = boot;
    this.booted = this.#boot.promise;
    this.booted.catch(() => {});
    this.gone = this.#gone.promise;
  }

  /** The monitor's number on the host, once the launcher booted. */
  get pid(): number {
    assert(this.#pid !== undefined, 'the launcher booted');
    return this.#pid;
  }

  /** Where another process finds the output, which this one then does not read. */
  get pipes(): OutputPipes | undefined {
    return this.#pipes;
  }

  /** Whoever reads the named pipes has them open: they need no name, and no hold, any more. */
  releasePipes(): void {
    for (const fd of this.#held.splice(0)) closeSync(fd);
    const { stdout, stderr } = this.#pipes ?? {};
    for (const path of [stdout, stderr]) if (path !== undefined) rmSync(path, { force: true });
  }

  /** The entrypoint's output; there once the launcher booted, empty if it is in named pipes. */
  get output(): { readonly stdout: Readable; readonly stderr: Readable } {
    assert(this.#output !== undefined, 'the launcher booted');
    return this.#output;
  }

  /** Its channel arrived. */
  connect(channel: Socket): void {
    this.#channel = channel;
    channel.on('error', () => {});
    channel.on('data', (chunk) => this.#read(chunk));
    channel.once('close', () => this.#die('ended before it was ready'));
    if (this.#ended) channel.end();
  }

  /** Its sandbox's server arrived. */
  serve(server: ServerHandle): void {
    if (this.#events === undefined) server.close();
    else this.#events.onServer(server);
  }

  /** A connection into its sandbox arrived. */
  handConnection(connectionId: number, socket: Socket): void {
    if (this.#events === undefined || this.#ended) socket.destroy();
    else this.#events.onConnection(connectionId, socket);
  }

  /** The spawner is gone: whose channel did not arrive yet has none. */
  lose(why: string): void {
    if (this.#channel === undefined) this.#die(why, true);
    this.#events?.onSpawnerLost();
  }

  /** Sends the program; from now on records and the end go to `events`. */
  run(program: LaunchProgram, events: LauncherEvents): void {
    assert(this.#events === undefined, 'a launcher runs one program after its boot');
    this.#events = events;
    this.#program = program;
    this.#channel?.write(program.encode());
  }

  /** What the monitor runs next; it goes on as monitor then. */
  send(program: LaunchProgram): void {
    if (!this.#ended) this.#channel?.write(program.encode());
  }

  /** From now on, what is reported is of this program, which init was given. */
  expect(program: LaunchProgram): void {
    this.#program = program;
  }

  /** Resolves when it is gone and nobody waits for its server any more. */
  get over(): Promise<void> {
    return Promise.all([this.gone, this.#over.promise]).then(() => {});
  }

  /** Closes this end of the channel; the monitor then kills all and exits. */
  end(): void {
    this.#ended = true;
    this.#over.resolve();
    this.#channel?.end();
  }

  /** For a monitor that does not exit by itself. */
  kill(): void {
    this.end();
    if (this.#pid === undefined || this.#channel?.destroyed === true) return;
    try {
      process.kill(this.#pid, 'SIGKILL');
    } catch (error) {
      if (systemErrorCode(error) !== 'ESRCH') throw error;
    }
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
      const step = this.#program.stepName(record.readUInt32LE(8));
      if (this.#output === undefined) this.#boot.reject(bootError(`${step}: ${errnoName(value)}`));
      this.#events?.onRecord({ kind: 'failed', step, errno: value });
    } else if (kind === RECORD.ready) this.#onReady(value);
    else {
      const decoded = decodeRecord(kind, record.readUInt32LE(RECORD_STEP_OFFSET), value);
      if (decoded) this.#events?.onRecord(decoded);
    }
  }

  #onReady(pid: number): void {
    this.#pid = pid;
    try {
      if (this.#pipes) this.#output = this.#hold(this.#pipes);
      else {
        const stdout = openPipe(pid, STDOUT_READ_FD);
        this.#output = { stdout, stderr: openPipe(pid, STDERR_READ_FD) };
      }
      this.#boot.resolve();
    } catch (error) {
      this.#boot.reject(error);
    }
  }

  /** What is written into a pipe stays in it as long as somebody has it open. */
  #hold({ stdout, stderr }: OutputPipes): { stdout: Readable; stderr: Readable } {
    const flags = fsConstants.O_RDONLY | fsConstants.O_NONBLOCK;
    for (const path of [stdout, stderr]) this.#held.push(openSync(path, flags));
    return { stdout: Readable.from([]), stderr: Readable.from([]) };
  }

  #die(why: string, spawnerLost = false): void {
    this.#boot.reject(bootError(why, spawnerLost));
    this.#gone.resolve();
    this.#events?.onGone();
    if (this.#events !== undefined) return;
    this.releasePipes();
    this.#output?.stdout.destroy();
    this.#output?.stderr.destroy();
  }
}

function decodeRecord(kind: number, step: number, value: number): LaunchRecord | undefined {
  switch (kind) {
    case RECORD.loop:
      return { kind: 'loop', number: value };
    case RECORD.started:
      return { kind: 'started', pid: value };
    case RECORD.exited:
      return { kind: 'exited', waitStatus: value };
    case RECORD.init:
      return { kind: 'init', pid: value };
    case RECORD.extensions:
      return { kind: 'extensions' };
    case RECORD.extensionsStarted:
      return { kind: 'extensionsStarted' };
    case RECORD.extensionExited:
      return { kind: 'extensionExited', index: step, waitStatus: value };
    default:
      return undefined;
  }
}

function bootError(what: string, spawnerLost = false): SluiceError {
  return new SluiceError('SANDBOX_START_FAILED', `launch: ${what}`, {
    data: { step: 'boot', spawnerLost },
  });
}

export function errnoName(errno: number): string {
  const entry = Object.entries(constants.errno).find(([, value]) => value === errno);
  return entry?.[0] ?? `errno ${errno}`;
}

/** A pipe of another process, opened again: the flags of its own end stay as they are. */
export function openPipe(pid: number, fd: number, direction: 'read' | 'write' = 'read'): Socket {
  const readable = direction === 'read';
  const mode = readable ? fsConstants.O_RDONLY : fsConstants.O_WRONLY;
  const own = openSync(`/proc/${pid}/fd/${fd}`, mode | fsConstants.O_NONBLOCK);
  try {
    return new Socket({ fd: own, readable, writable: !readable });
  } catch (error) {
    closeSync(own);
    throw error;
  }
}
