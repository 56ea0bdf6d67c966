import * as linux from '../launch/linux.ts';
import { LaunchProgram, register } from '../launch/program.ts';
import type { MachineArchitecture } from '../launch/system-call-numbers.ts';
import { CONTROL_FD, open, STATUS_FD } from '../lean/compose/common.ts';

/** A program to become. */
export interface Becoming {
  readonly argv: readonly [string, ...string[]];
  readonly environment: Readonly<NodeJS.ProcessEnv>;
  /** Bits of linux/capability.h that it keeps; all others are out of reach for good. */
  readonly capabilities: readonly number[];
}

export interface PartingOptions {
  readonly architecture: MachineArchitecture;
  readonly lastCapability: number;
  readonly region: Becoming;
  readonly warden: Becoming;
  /** RLIMIT_NOFILE of both; as it is if absent. */
  readonly openFiles?: number;
}

const child = register(0);
const temporary = register(6);
const REGION_END_FD = 5;
const WARDEN_END_FD = 6;

/**
 * The program that parts a process that is root in two: a child that keeps the privileges, and the
 * process itself, which keeps its number and none. Each has an end of the channel that Node knows as
 * that to a parent process.
 */
export function composeParting(options: PartingOptions): LaunchProgram {
  const program = new LaunchProgram(options.architecture);
  const warden = program.label();
  const ends = program.bytes(Buffer.alloc(8));
  program.call('close inherited files', 'close_range', [REGION_END_FD, 0xffff_ffff, 0]);
  for (const fd of [CONTROL_FD, STATUS_FD]) {
    program.call('keep channels', 'fcntl', [fd, linux.F_SETFD, linux.FD_CLOEXEC]);
  }
  if (options.openFiles !== undefined) limitOpenFiles(program, options.openFiles);
  program.call('make a channel', 'socketpair', [linux.AF_UNIX, linux.SOCK_STREAM, 0, ends]);
  program.call('fork the warden', 'clone', [linux.SIGCHLD, 0, 0, 0, 0], { result: child });
  program.branchIfEqual('fork the warden', child, 0, warden);
  program.call('close the warden’s end', 'close', [WARDEN_END_FD]);
  become(program, options.region, REGION_END_FD, options.lastCapability);
  program.place(warden);
  program.call('close the region’s end', 'close', [REGION_END_FD]);
  program.call('leave the session', 'setsid', []);
  open(program, 'close the input', '/dev/null', linux.O_RDONLY, { result: temporary });
  program.call('close the input', 'dup3', [temporary, 0, 0]);
  program.call('die with the region', 'prctl', [linux.PR_SET_PDEATHSIG, linux.SIGKILL, 0, 0, 0]);
  become(program, options.warden, WARDEN_END_FD, options.lastCapability);
  return program;
}

function limitOpenFiles(program: LaunchProgram, openFiles: number): void {
  const content = Buffer.alloc(16);
  content.writeBigUInt64LE(BigInt(openFiles), 0);
  content.writeBigUInt64LE(BigInt(openFiles), 8);
  const values = [0, linux.RLIMITS.openFiles, program.bytes(content), 0];
  program.call('raise the limit of open files', 'prlimit64', values, { tolerate: ['EPERM'] });
}

/** `struct __user_cap_data_struct` twice: effective, permitted and inheritable of 32 each. */
function setsOf(capabilities: readonly number[]): Buffer {
  const content = Buffer.alloc(24);
  for (const capability of capabilities) {
    const at = capability >> 5 === 0 ? 0 : 12;
    const bits = content.readUInt32LE(at) + 2 ** (capability & 31);
    for (const set of [at, at + 4]) content.writeUInt32LE(bits, set);
  }
  return content;
}

function become(
  program: LaunchProgram,
  { argv, environment, capabilities }: Becoming,
  channelFd: number,
  lastCapability: number,
): void {
  for (let capability = 0; capability <= lastCapability; capability++) {
    if (capabilities.includes(capability)) continue;
    const values = [linux.PR_CAPBSET_DROP, capability, 0, 0, 0];
    program.call('bound capabilities', 'prctl', values, { tolerate: ['EINVAL'] });
  }
  const clear = [linux.PR_CAP_AMBIENT, linux.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0];
  program.call('clear ambient capabilities', 'prctl', clear);
  const version = Buffer.alloc(8);
  version.writeUInt32LE(linux.LINUX_CAPABILITY_VERSION_3);
  // Without new privileges root's programs have what the bounding set and their parent both have.
  const sets = program.bytes(setsOf(capabilities));
  program.call('drop capabilities', 'capset', [program.bytes(version), sets]);
  program.call('forbid new privileges', 'prctl', [linux.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]);
  const variables = {
    ...environment,
    NODE_CHANNEL_FD: `${channelFd}`,
    NODE_CHANNEL_SERIALIZATION_MODE: 'advanced',
  };
  const words = Object.entries(variables).filter(([, value]) => value !== undefined);
  const name = `run ${argv.at(-1)}`;
  const argvAt = program.pointers(
    name,
    argv.map((word) => program.text(word)),
  );
  const envAt = program.pointers(
    name,
    words.map(([key, value]) => program.text(`${key}=${value}`)),
  );
  program.call(name, 'execve', [program.text(argv[0]), argvAt, envAt]);
}
