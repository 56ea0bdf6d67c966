import * as linux from '../../launch/linux.ts';
import { type DataReference, LaunchProgram, register } from '../../launch/program.ts';
import type { MachineArchitecture } from '../../launch/system-call-numbers.ts';
import { seccompFilter } from '../../seccomp/profile.ts';
import {
  CONTROL_FD,
  EXTENSIONS_READ_FD,
  EXTENSIONS_WRITE_FD,
  KEPT_CONTROL_FD,
  PROGRAMS_READ_FD,
  RECORD,
  RECORD_STEP_OFFSET,
  RECORD_VALUE_OFFSET,
  record,
  report,
  STDERR_WRITE_FD,
  STDOUT_WRITE_FD,
} from './common.ts';
import { becomeEntrypoint, type EntrypointOptions, forkEntrypoint } from './entrypoint.ts';
import { dieWithMonitor } from './isolate.ts';
import { dropPrivileges, filterSystemCalls, type PrivilegeOptions } from './privileges.ts';

/** Where Lambda looks for programs that run beside the runtime. */
export const EXTENSIONS_DIRECTORY = '/opt/extensions';
const FORK = 'fork an extension';

/** One register each holds an extension's number; as many as there are to spare. */
const extensionPids = [0, 1, 2, 3, 4, 5, 10, 11, 12, 13].map(register);
const polled = register(7);
const entrypoint = register(8);
const reaped = register(9);
/** How long an extension may be gone before init, which waits for a program, looks. */
const LOOK_EVERY_NS = 10_000_000;
const NONE_LEFT = -10;

export interface ExtensionOptions extends PrivilegeOptions {
  readonly architecture: MachineArchitecture;
  /** At most `EXTENSIONS_MOST` names of files in the directory. */
  readonly names: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** The step that fails if an extension is no program that runs. */
export const runExtensionStep = (name: string) => `run ${EXTENSIONS_DIRECTORY}/${name}`;

/** Tells of the directory; init's further programs come by a pipe of its own. */
export function awaitExtensions(program: LaunchProgram): void {
  const name = 'wait for extensions';
  program.call(name, 'dup3', [CONTROL_FD, KEPT_CONTROL_FD, linux.O_CLOEXEC]);
  program.call(name, 'dup3', [PROGRAMS_READ_FD, CONTROL_FD, linux.O_CLOEXEC]);
  program.call(name, 'close', [PROGRAMS_READ_FD]);
  const ends = program.bytes(Buffer.alloc(8));
  program.call(name, 'pipe2', [ends, linux.O_CLOEXEC]);
  report(program, name, record(program, RECORD.extensions));
}

/**
 * Init's second program: gives up its privileges and starts the extensions; then it reaps them
 * until it gets the third, which is the entrypoint's.
 */
export function composeExtensions(options: ExtensionOptions): LaunchProgram {
  const program = new LaunchProgram(options.architecture);
  dropPrivileges(program, options, [STDOUT_WRITE_FD, STDERR_WRITE_FD, EXTENSIONS_WRITE_FD]);
  dieWithMonitor(program, KEPT_CONTROL_FD);
  for (const fd of [KEPT_CONTROL_FD, EXTENSIONS_READ_FD]) {
    program.call('close the host’s ends', 'close', [fd]);
  }
  filterSystemCalls(program, seccompFilter(options.architecture));
  const variables = Object.entries(options.environment);
  const texts = variables.map(([name, value]) => program.text(`${name}=${value}`));
  const environmentAt = program.pointers(FORK, texts);
  for (const [index, name] of options.names.entries()) {
    runExtension(program, index, name, environmentAt);
  }
  program.call('close the output pipe', 'close', [EXTENSIONS_WRITE_FD]);
  report(program, 'report the extensions', record(program, RECORD.extensionsStarted));
  reapUntilTold(program, options.names.length);
  return program;
}

function runExtension(
  program: LaunchProgram,
  index: number,
  name: string,
  environmentAt: DataReference,
): void {
  const running = program.label();
  const pid = register(extensionPids[index]?.register ?? Number.NaN);
  const path = program.text(`${EXTENSIONS_DIRECTORY}/${name}`);
  const argvAt = program.pointers(FORK, [path]);
  const flags = linux.CLONE_VFORK | linux.SIGCHLD;
  program.call(FORK, 'clone', [flags, 0, 0, 0, 0], { result: pid });
  program.branchUnlessEqual(FORK, pid, 0, running);
  program.call('leave the session', 'setsid', []);
  for (const fd of [1, 2]) {
    program.call('connect the output', 'dup3', [EXTENSIONS_WRITE_FD, fd, 0]);
  }
  program.call(runExtensionStep(name), 'execve', [path, argvAt, environmentAt]);
  program.place(running);
}

function reapUntilTold(program: LaunchProgram, count: number): void {
  const name = 'wait for the entrypoint';
  const again = program.label();
  const reap = program.label();
  const none = program.label();
  const ended = record(program, RECORD.extensionExited);
  const timeout = program.bytes(Buffer.alloc(16));
  const entry = Buffer.alloc(8);
  entry.writeInt32LE(CONTROL_FD, 0);
  entry.writeInt16LE(linux.POLLIN, 4);
  const entries = program.bytes(entry);
  program.place(again);
  // The kernel writes back what is left of it.
  program.store(name, timeout, 8, 8, LOOK_EVERY_NS);
  program.call(name, 'ppoll', [entries, 1, timeout, 0, 0], { result: polled });
  program.place(reap);
  waitForChild(program, ended, linux.WNOHANG);
  program.branchIfEqual(name, reaped, 0, none);
  program.branchIfEqual(name, reaped, NONE_LEFT, none);
  reportExtension(program, ended, count);
  program.branchIfEqual(name, 0, 0, reap);
  program.place(none);
  program.branchIfEqual(name, polled, 0, again);
}

/**
 * Init's third program: runs the entrypoint, and outlives it, because the extensions have their
 * own end. It leaves with the last process.
 */
export function composeEntrypoint(
  architecture: MachineArchitecture,
  options: EntrypointOptions,
  extensions: number,
): LaunchProgram {
  const program = new LaunchProgram(architecture);
  const child = program.label();
  const wait = program.label();
  const other = program.label();
  const leave = program.label();
  const tables = forkEntrypoint(program, options, child);
  const ended = record(program, RECORD.extensionExited);
  program.place(wait);
  waitForChild(program, ended, 0);
  program.branchIfEqual('reap', reaped, NONE_LEFT, leave);
  program.branchUnlessEqual('reap', reaped, entrypoint, other);
  program.store('report the end', ended, 0, 4, RECORD.exited);
  report(program, 'report the end', ended);
  program.store('report the end', ended, 0, 4, RECORD.extensionExited);
  program.call('forget the entrypoint', 'getpid', [], { result: entrypoint });
  program.place(other);
  reportExtension(program, ended, extensions);
  program.branchIfEqual('reap', 0, 0, wait);
  program.place(leave);
  program.call('leave', 'exit_group', [0]);
  program.place(child);
  becomeEntrypoint(program, options, tables);
  return program;
}

function waitForChild(program: LaunchProgram, ended: DataReference, flags: number): void {
  const status = { dataOffset: ended.dataOffset + RECORD_VALUE_OFFSET };
  const tolerate = ['ECHILD'] as const;
  program.call('reap', 'wait4', [-1, status, flags, 0], { result: reaped, tolerate });
}

/** Reports who was reaped if it was an extension, and forgets its number, which may come again. */
function reportExtension(program: LaunchProgram, ended: DataReference, count: number): void {
  const name = 'report the end of an extension';
  for (const [index, pid] of extensionPids.slice(0, count).entries()) {
    const another = program.label();
    program.branchUnlessEqual(name, reaped, pid, another);
    program.store(name, ended, RECORD_STEP_OFFSET, 4, index);
    report(program, name, ended);
    // Init's own number: no child has it.
    program.call('forget an extension', 'getpid', [], { result: pid });
    program.place(another);
  }
}
