import { KIB, MIB } from '../../../base/mod.ts';
import * as linux from '../../launch/linux.ts';
import type { LaunchProgram } from '../../launch/program.ts';
import { STDERR_WRITE_FD, STDOUT_WRITE_FD } from './common.ts';

export interface PrivilegeOptions {
  /** The last that the kernel knows. */
  readonly lastCapability: number;
  readonly uid: number;
  readonly gid: number;
}

const OUTPUT_FDS = [STDOUT_WRITE_FD, STDERR_WRITE_FD];

const STACK_BYTES = BigInt(8 * MIB);
const LOCKED_MEMORY_BYTES = BigInt(64 * KIB);
/** Too small for any core file, and the one limit at which no handler of dumps is run (core(5)). */
const CORE_BYTES = 1n;
const FILTER_INSTRUCTION_BYTES = 8;

/** Limits per process; what all processes share is bounded by the cgroup. */
export function limitResources(program: LaunchProgram, openFiles: number): void {
  const infinity = linux.RLIM_INFINITY;
  const limit = (resource: keyof typeof linux.RLIMITS, soft: bigint, hard: bigint) => {
    const content = Buffer.alloc(16);
    content.writeBigUInt64LE(soft, 0);
    content.writeBigUInt64LE(hard, 8);
    const values = [0, linux.RLIMITS[resource], program.bytes(content), 0];
    // Raising one takes CAP_SYS_RESOURCE; without, what Sluice itself was given has to do.
    const tolerate = hard === infinity ? (['EPERM'] as const) : [];
    program.call(`limit ${resource}`, 'prlimit64', values, { tolerate });
  };
  limit('openFiles', BigInt(openFiles), BigInt(openFiles));
  limit('core', CORE_BYTES, CORE_BYTES);
  limit('stack', STACK_BYTES, infinity);
  limit('lockedMemory', LOCKED_MEMORY_BYTES, LOCKED_MEMORY_BYTES);
  for (const each of ['cpu', 'fileSize', 'data', 'residentSet', 'processes'] as const) {
    limit(each, infinity, infinity);
  }
  limit('addressSpace', infinity, infinity);
}

/**
 * Gives up every privilege for good. Order matters: the bounding set and the groups can be
 * changed only while there are capabilities, and the filter comes last, because it forbids much
 * of what goes before.
 */
export function dropPrivileges(
  program: LaunchProgram,
  options: PrivilegeOptions,
  outputFds: readonly number[] = OUTPUT_FDS,
): void {
  const { uid, gid } = options;
  // Whoever opens /dev/stdout opens these pipes again, and has to be their owner.
  for (const fd of outputFds) {
    program.call('give away the output pipes', 'fchown', [fd, uid, gid]);
  }
  program.call('leave the session keyring', 'keyctl', [linux.KEYCTL_JOIN_SESSION_KEYRING, 0], {
    tolerate: ['ENOSYS', 'EDQUOT'],
  });
  for (let capability = 0; capability <= options.lastCapability; capability++) {
    const values = [linux.PR_CAPBSET_DROP, capability, 0, 0, 0];
    program.call('empty the bounding set', 'prctl', values, { tolerate: ['EINVAL'] });
  }
  const clear = [linux.PR_CAP_AMBIENT, linux.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0];
  program.call('clear ambient capabilities', 'prctl', clear);
  const group = Buffer.alloc(4);
  group.writeUInt32LE(gid);
  program.call('set the groups', 'setgroups', [1, program.bytes(group)]);
  program.call('set the group', 'setresgid', [gid, gid, gid]);
  program.call('set the user', 'setresuid', [uid, uid, uid]);
  const version = Buffer.alloc(8);
  version.writeUInt32LE(linux.LINUX_CAPABILITY_VERSION_3);
  const none = program.bytes(Buffer.alloc(24));
  program.call('drop capabilities', 'capset', [program.bytes(version), none]);
  program.call('hide init', 'prctl', [linux.PR_SET_DUMPABLE, 0, 0, 0, 0]);
}

/** No way back: neither a setuid program nor a file capability gives anything any more. */
export function filterSystemCalls(program: LaunchProgram, filter: Buffer): void {
  program.call('forbid new privileges', 'prctl', [linux.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]);
  const name = 'filter system calls';
  const instructions = program.bytes(filter);
  const header = Buffer.alloc(16);
  header.writeUInt16LE(filter.length / FILTER_INSTRUCTION_BYTES, 0);
  header.writeBigUInt64LE(BigInt(instructions.dataOffset), 8);
  const headerAt = program.bytes(header);
  program.point(name, headerAt, 8);
  program.call(name, 'seccomp', [linux.SECCOMP_SET_MODE_FILTER, 0, headerAt]);
}
