import * as linux from '../launch/linux.ts';
import { type LaunchProgram, register } from '../launch/program.ts';
import { open } from '../lean/compose/common.ts';

/** Holds the user namespace by which mounts are mapped. */
export const userNamespaceFd = 32;

const child = register(0);
const directory = register(1);
const temporary = register(6);
const PROC = '/proc/';
const DECIMAL_BYTES = 21;

/**
 * Makes the user namespace in which root's files are the helper's: that of a child that does
 * nothing and goes at once. Only mounts use it; the helper itself stays in the host's.
 */
export function mapOwners(program: LaunchProgram, uid: number): void {
  const name = 'make a user namespace';
  const parent = program.label();
  program.call(name, 'clone', [linux.CLONE_NEWUSER | linux.SIGCHLD, 0, 0, 0, 0], { result: child });
  program.branchUnlessEqual(name, child, 0, parent);
  program.call(name, 'prctl', [linux.PR_SET_PDEATHSIG, linux.SIGKILL, 0, 0, 0]);
  program.call(name, 'ppoll', [0, 0, 0, 0, 0]);
  program.place(parent);
  const path = program.bytes(Buffer.concat([Buffer.from(PROC), Buffer.alloc(DECIMAL_BYTES)]));
  program.decimal(name, path, PROC.length, child);
  open(program, name, path, linux.O_PATH, { result: directory });
  const map = Buffer.from(`0 ${uid} 1\n`);
  const content = program.bytes(map);
  for (const file of ['uid_map', 'gid_map']) {
    const values = [directory, program.text(file), linux.O_WRONLY | linux.O_CLOEXEC, 0];
    program.call(name, 'openat', values, { result: temporary });
    program.call(name, 'write', [temporary, content, map.length]);
    program.call(name, 'close', [temporary]);
  }
  const values = [directory, program.text('ns/user'), linux.O_RDONLY | linux.O_CLOEXEC, 0];
  program.call(name, 'openat', values, { result: temporary });
  program.call(name, 'dup3', [temporary, userNamespaceFd, linux.O_CLOEXEC]);
  for (const each of [temporary, directory]) program.call(name, 'close', [each]);
  program.call(name, 'kill', [child, linux.SIGKILL]);
  program.call(name, 'wait4', [child, 0, 0, 0]);
}
