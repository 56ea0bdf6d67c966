import { constants } from 'node:os';
import { join } from 'node:path';
import * as linux from '../launch/linux.ts';
import { type LaunchProgram, register } from '../launch/program.ts';
import { open } from '../lean/compose/common.ts';
import type { HelperMount } from './types.ts';

const ruleset = register(1);
const place = register(6);
/** `struct landlock_path_beneath_attr`, packed: what is allowed, below which descriptor. */
const RULE_BYTES = 12;

type Confined = HelperMount & { readonly inside: string; readonly isFile: boolean };

/**
 * Files in `put` mounts can be written and not read from here on (Landlock, Linux 5.19): the kernel
 * refuses to open them for reading, whoever's they are. An older kernel goes without.
 */
export function confineReads(program: LaunchProgram, mounts: readonly Confined[]): void {
  if (!mounts.some(({ access }) => access === 'put')) return;
  const name = 'confine reads';
  const end = program.label();
  const handled = Buffer.alloc(8);
  const { LANDLOCK_ACCESS_FS_READ_FILE: read, LANDLOCK_ACCESS_FS_REFER: refer } = linux;
  handled.writeBigUInt64LE(BigInt(read | refer));
  const values = [program.bytes(handled), handled.length, 0];
  const tolerate = ['ENOSYS', 'EOPNOTSUPP', 'EINVAL'] as const;
  program.call(name, 'landlock_create_ruleset', values, { result: ruleset, tolerate });
  for (const errno of tolerate) {
    program.branchIfEqual(name, ruleset, -constants.errno[errno], end);
  }
  for (const each of mounts) {
    const reads = each.access === 'put' ? 0 : read;
    const moves = each.access === 'read' || each.isFile ? 0 : refer;
    allow(program, each.inside, reads | moves);
    for (const folder of each.readable ?? []) allow(program, join(each.inside, folder), read);
  }
  program.call(name, 'prctl', [linux.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]);
  program.call(name, 'landlock_restrict_self', [ruleset, 0]);
  program.call(name, 'close', [ruleset]);
  program.place(end);
}

function allow(program: LaunchProgram, path: string, access: number): void {
  const name = `confine reads: ${path}`;
  const rule = Buffer.alloc(RULE_BYTES);
  rule.writeBigUInt64LE(BigInt(access));
  const at = program.bytes(rule);
  open(program, name, path, linux.O_PATH, { result: place });
  program.store(name, at, 8, 4, place);
  program.call(name, 'landlock_add_rule', [ruleset, linux.LANDLOCK_RULE_PATH_BENEATH, at, 0]);
  program.call(name, 'close', [place]);
}
