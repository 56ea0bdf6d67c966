import { AT_FDCWD, O_CLOEXEC } from '../../launch/linux.ts';
import type { CallOptions, DataReference, LaunchProgram, Value } from '../../launch/program.ts';

/** Where Node puts the launcher's descriptors; 0, 1 and 2 are /dev/null until the entrypoint's. */
export const CONTROL_FD = 3;
export const STATUS_FD = 4;
export const IPC_FD = 5;
/** The two ends of the pipes that the boot program makes for the entrypoint's output. */
export const STDOUT_READ_FD = 6;
export const STDOUT_WRITE_FD = 7;
export const STDERR_READ_FD = 8;
export const STDERR_WRITE_FD = 9;
/** The pipe that the monitor makes for what init runs after its first program. */
export const PROGRAMS_READ_FD = 10;
export const PROGRAMS_WRITE_FD = 11;
export const READ_ENDS: readonly number[] = [STDOUT_READ_FD, STDERR_READ_FD];
/** In an init with extensions: its hold on the control channel, and their output's pipe. */
export const KEPT_CONTROL_FD = IPC_FD;
export const EXTENSIONS_READ_FD = STDOUT_READ_FD;
export const EXTENSIONS_WRITE_FD = STDERR_READ_FD;

/** What a record on the status descriptor is about; launch.c itself writes only `failed`. */
export const RECORD = {
  failed: 1,
  ready: 2,
  loop: 3,
  /** The entrypoint runs; its number within the sandbox. */
  started: 4,
  exited: 5,
  /** Init was forked; its number on the host. */
  init: 6,
  /** The disk has a directory of extensions, and init waits to be told which to run. */
  extensions: 7,
  /** They run, and init waits for the entrypoint's program. */
  extensionsStarted: 8,
  /** One ended; which of them stands in place of the step. */
  extensionExited: 9,
} as const;
/** Four `u32`: kind, program, step, value (an errno, a loop device's number, a wait status). */
export const RECORD_BYTES = 16;
export const RECORD_STEP_OFFSET = 8;
export const RECORD_VALUE_OFFSET = 12;

export function record(program: LaunchProgram, kind: number): DataReference {
  const content = Buffer.alloc(RECORD_BYTES);
  content.writeUInt32LE(kind, 0);
  return program.bytes(content);
}

export function report(program: LaunchProgram, name: string, content: DataReference): void {
  program.call(name, 'write', [STATUS_FD, content, RECORD_BYTES]);
}

export interface MountOptions {
  readonly source?: string | DataReference;
  readonly target: string;
  readonly type?: string;
  readonly flags?: number;
  readonly data?: string;
}

/** `mount`, in its many meanings: what is left out is a null pointer. */
export function mount(
  program: LaunchProgram,
  name: string,
  options: MountOptions,
  callOptions: CallOptions = {},
): void {
  const text = (content: string | DataReference | undefined): Value => {
    if (content === undefined) return 0;
    return typeof content === 'string' ? program.text(content) : content;
  };
  const { source, target, type, flags = 0, data } = options;
  const values = [text(source), text(target), text(type), flags, text(data)];
  program.call(name, 'mount', values, callOptions);
}

/** `openat` from the working directory, closed at the next execve. */
export function open(
  program: LaunchProgram,
  name: string,
  path: string | DataReference,
  flags: number,
  options: CallOptions & { readonly mode?: number } = {},
): void {
  const at = typeof path === 'string' ? program.text(path) : path;
  program.call(name, 'openat', [AT_FDCWD, at, flags | O_CLOEXEC, options.mode ?? 0], options);
}

/** A mount point, made where the image has none. */
export function makeDirectory(program: LaunchProgram, path: string, mode = 0o755): void {
  const values = [AT_FDCWD, program.text(path), mode];
  program.call(`make ${path}`, 'mkdirat', values, { tolerate: ['EEXIST'] });
}
