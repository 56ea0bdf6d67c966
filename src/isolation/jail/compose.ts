import * as linux from '../launch/linux.ts';
import { mapOwners } from '../launch/map-owners.ts';
import { LaunchProgram, register } from '../launch/program.ts';
import type { MachineArchitecture } from '../launch/system-call-numbers.ts';
import { CONTROL_FD, IPC_FD, open, STATUS_FD } from '../lean/compose/common.ts';
import { dropPrivileges, filterSystemCalls, limitResources } from '../lean/compose/privileges.ts';
import { encodeFilter } from '../seccomp/bpf.ts';
import { seccompInstructions } from '../seccomp/profile.ts';
import { compileCacheMounts } from './compile-cache.ts';
import { confineReads } from './confine-reads.ts';
import { helperCalls } from './helper-calls.ts';
import { nodeFiles } from './node-files.ts';
import { assembleRoot, placeMounts } from './root.ts';
import type { Helper, JailPlace } from './types.ts';

const temporary = register(6);
const PRIO_PROCESS = 0;

export interface JailOptions extends JailPlace {
  readonly architecture: MachineArchitecture;
  readonly lastCapability: number;
  readonly isFile: (path: string) => boolean;
}

/**
 * The program that makes a launch process into a helper: its cgroup, namespaces, a root of only what
 * it was given, then no privileges, a filter of system calls, and Node. What is left of the host is
 * the kernel, the descriptors 0, 1, 2, the IPC channel and the FUSE connection.
 */
export function composeJail(helper: Helper, options: JailOptions): LaunchProgram {
  const program = new LaunchProgram(options.architecture);
  for (const fd of [CONTROL_FD, STATUS_FD]) {
    program.call('keep channels from the helper', 'fcntl', [fd, linux.F_SETFD, linux.FD_CLOEXEC]);
  }
  program.call('close inherited files', 'close_range', [IPC_FD + 1, 0xffff_ffff, 0]);
  program.call('leave the session', 'setsid', []);
  joinCgroup(program, options.join);
  program.call('set the priority', 'setpriority', [PRIO_PROCESS, 0, helper.niceness]);
  const own = [0, options.uid] as const;
  mapOwners(program, { uid: own, gid: own });
  const namespaces = linux.CLONE_NEWNS | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS;
  const network = helper.network === 'none' ? linux.CLONE_NEWNET : 0;
  program.call('create namespaces', 'unshare', [namespaces | network | linux.CLONE_NEWCGROUP]);
  program.call('set the file mode mask', 'umask', [0o077]);
  const compiled = compileCacheMounts(options.compileCache, options.uid, helper.mounts);
  const mounts = placeMounts([...helper.mounts, ...compiled], options.isFile);
  assembleRoot(program, helper, mounts);
  limitResources(program, helper.openFiles);
  limitFiles(program, helper);
  const { uid, lastCapability } = options;
  dropPrivileges(program, { uid, gid: uid, lastCapability }, []);
  program.call('die with the region', 'prctl', [linux.PR_SET_PDEATHSIG, linux.SIGKILL, 0, 0, 0]);
  confineReads(program, mounts);
  const filter = encodeFilter(seccompInstructions(options.architecture, helperCalls));
  filterSystemCalls(program, filter);
  runNode(program, helper);
  return program;
}

function joinCgroup(program: LaunchProgram, join: JailPlace['join']): void {
  if (!join) return;
  const files = join.kind === 'write' ? join.files : [`${join.directory}/cgroup.procs`];
  const self = program.bytes(Buffer.from('0\n'));
  for (const file of files) {
    open(program, 'join the cgroup', file, linux.O_WRONLY, { result: temporary });
    program.call('join the cgroup', 'write', [temporary, self, 2]);
    program.call('join the cgroup', 'close', [temporary]);
  }
}

function limitFiles(program: LaunchProgram, { fileBytes, processes }: Helper): void {
  const limit = (resource: keyof typeof linux.RLIMITS, most: number) => {
    const content = Buffer.alloc(16);
    content.writeBigUInt64LE(BigInt(most), 0);
    content.writeBigUInt64LE(BigInt(most), 8);
    const values = [0, linux.RLIMITS[resource], program.bytes(content), 0];
    program.call(`limit ${resource}`, 'prlimit64', values);
  };
  limit('fileSize', fileBytes);
  limit('processes', processes);
}

function runNode(program: LaunchProgram, { main, flags, environment }: Helper): void {
  const argv = [process.execPath, ...flags, main].map((word) => program.text(word));
  const variables = {
    ...environment,
    ...nodeFiles().environment,
    NODE_CHANNEL_FD: `${IPC_FD}`,
    NODE_CHANNEL_SERIALIZATION_MODE: 'advanced',
  };
  const words = Object.entries(variables).filter(([, value]) => value !== undefined);
  const env = words.map(([key, value]) => program.text(`${key}=${value}`));
  const name = 'run Node';
  const argvAt = program.pointers(name, argv);
  const envAt = program.pointers(name, env);
  program.call(name, 'execve', [program.text(process.execPath), argvAt, envAt]);
}
