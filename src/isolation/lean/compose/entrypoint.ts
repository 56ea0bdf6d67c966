import * as linux from '../../launch/linux.ts';
import {
  type DataReference,
  type Label,
  type LaunchProgram,
  register,
} from '../../launch/program.ts';
import {
  RECORD,
  RECORD_VALUE_OFFSET,
  record,
  report,
  STDERR_WRITE_FD,
  STDOUT_WRITE_FD,
} from './common.ts';

export interface EntrypointOptions {
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
}

export const RUN_ENTRYPOINT = 'run the entrypoint';
export const ENTER_WORKING_DIRECTORY = 'enter the working directory';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const entrypoint = register(8);
const reaped = register(9);

/** Where `execvp` would look for a program, in its order. */
export function entrypointCandidates(
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
): string[] {
  const program = argv[0] ?? '';
  if (program.includes('/')) return [program];
  const path = environment['PATH'] || DEFAULT_PATH;
  return path.split(':').map((directory) => `${directory || '.'}/${program}`);
}

interface EntrypointTables {
  readonly argvAt: DataReference;
  readonly environmentAt: DataReference;
}

/**
 * Forks the entrypoint and, as init, reaps every orphan until the entrypoint ended; reports its
 * wait status and leaves, by which the kernel ends all that it left behind.
 */
export function runEntrypoint(program: LaunchProgram, options: EntrypointOptions): void {
  const child = program.label();
  const wait = program.label();
  const tables = forkEntrypoint(program, options, child);
  const ended = record(program, RECORD.exited);
  const status = { dataOffset: ended.dataOffset + RECORD_VALUE_OFFSET };
  program.place(wait);
  program.call('reap', 'wait4', [-1, status, 0, 0], { result: reaped });
  program.branchUnlessEqual('reap', reaped, entrypoint, wait);
  report(program, 'report the end', ended);
  program.call('leave', 'exit_group', [0]);
  program.place(child);
  becomeEntrypoint(program, options, tables);
}

/**
 * Goes on in `child` as the entrypoint's process. The fork waits for the execve, so that `started`
 * is only ever reported of an entrypoint that runs.
 */
export function forkEntrypoint(
  program: LaunchProgram,
  options: EntrypointOptions,
  child: Label,
): EntrypointTables {
  const argv = options.argv.map((argument) => program.text(argument));
  const variables = Object.entries(options.environment).map(([name, value]) =>
    program.text(`${name}=${value}`),
  );
  const name = 'fork the entrypoint';
  const argvAt = program.pointers(name, argv);
  const environmentAt = program.pointers(name, variables);
  const flags = linux.CLONE_VFORK | linux.SIGCHLD;
  program.call(name, 'clone', [flags, 0, 0, 0, 0], { result: entrypoint });
  program.branchIfEqual(name, entrypoint, 0, child);
  for (const fd of [STDOUT_WRITE_FD, STDERR_WRITE_FD]) {
    program.call('close the output pipes', 'close', [fd]);
  }
  const started = record(program, RECORD.started);
  program.store('report the start', started, RECORD_VALUE_OFFSET, 4, entrypoint);
  report(program, 'report the start', started);
  return { argvAt, environmentAt };
}

export function becomeEntrypoint(
  program: LaunchProgram,
  options: EntrypointOptions,
  { argvAt, environmentAt }: EntrypointTables,
): void {
  program.call('leave the session', 'setsid', []);
  program.call('connect standard output', 'dup3', [STDOUT_WRITE_FD, 1, 0]);
  program.call('connect standard error', 'dup3', [STDERR_WRITE_FD, 2, 0]);
  const directory = program.text(options.workingDirectory);
  program.call(ENTER_WORKING_DIRECTORY, 'chdir', [directory]);
  const candidates = entrypointCandidates(options.argv, options.environment);
  for (const [index, candidate] of candidates.entries()) {
    const isLast = index === candidates.length - 1;
    const values = [program.text(candidate), argvAt, environmentAt];
    const tolerate = isLast ? [] : (['ENOENT', 'ENOTDIR', 'EACCES'] as const);
    program.call(RUN_ENTRYPOINT, 'execve', values, { tolerate });
  }
}
