import * as linux from './linux.ts';
import { type LaunchProgram, register } from './program.ts';

/** Holds the user namespace by which mounts are mapped. */
export const userNamespaceFd = 32;

const child = register(0);
const directory = register(1);
const temporary = register(6);
const PROC = '/proc/';
const DECIMAL_BYTES = 21;

/** One owner on the disk, and who it is for those who use the mount. */
export interface OwnerMap {
  readonly uid: readonly [onDisk: number, seen: number];
  readonly gid: readonly [onDisk: number, seen: number];
}

/**
 * Makes the user namespace by which a mount's owners are mapped, as `fd`: that of a child that does
 * nothing and goes at once. Only mounts use it; the process itself stays in the host's. It must see
 * its own children in /proc.
 */
export function mapOwners(program: LaunchProgram, map: OwnerMap, fd = userNamespaceFd): void {
  const name = 'make a user namespace';
  const parent = program.label();
  program.call(name, 'clone', [linux.CLONE_NEWUSER | linux.SIGCHLD, 0, 0, 0, 0], { result: child });
  program.branchUnlessEqual(name, child, 0, parent);
  program.call(name, 'prctl', [linux.PR_SET_PDEATHSIG, linux.SIGKILL, 0, 0, 0]);
  program.call(name, 'ppoll', [0, 0, 0, 0, 0]);
  program.place(parent);
  const path = program.bytes(Buffer.concat([Buffer.from(PROC), Buffer.alloc(DECIMAL_BYTES)]));
  program.decimal(name, path, PROC.length, child);
  const flags = linux.O_PATH | linux.O_CLOEXEC;
  program.call(name, 'openat', [linux.AT_FDCWD, path, flags, 0], { result: directory });
  for (const kind of ['uid', 'gid'] as const) {
    const [onDisk, seen] = map[kind];
    const line = Buffer.from(`${onDisk} ${seen} 1\n`);
    const values = [directory, program.text(`${kind}_map`), linux.O_WRONLY | linux.O_CLOEXEC, 0];
    program.call(name, 'openat', values, { result: temporary });
    program.call(name, 'write', [temporary, program.bytes(line), line.length]);
    program.call(name, 'close', [temporary]);
  }
  const values = [directory, program.text('ns/user'), linux.O_RDONLY | linux.O_CLOEXEC, 0];
  program.call(name, 'openat', values, { result: temporary });
  program.call(name, 'dup3', [temporary, fd, linux.O_CLOEXEC]);
  for (const each of [temporary, directory]) program.call(name, 'close', [each]);
  program.call(name, 'kill', [child, linux.SIGKILL]);
  program.call(name, 'wait4', [child, 0, 0, 0]);
}
