import { dirname } from 'node:path';
import * as linux from '../launch/linux.ts';
import { mapOwners, userNamespaceFd } from '../launch/map-owners.ts';
import { LaunchProgram, register } from '../launch/program.ts';
import type { MachineArchitecture } from '../launch/system-call-numbers.ts';
import { CONTROL_FD, IPC_FD, mount, open, STATUS_FD } from '../lean/compose/common.ts';
import { dropPrivileges, filterSystemCalls, limitResources } from '../lean/compose/privileges.ts';
import { encodeFilter } from '../seccomp/bpf.ts';
import { seccompInstructions } from '../seccomp/profile.ts';
import { compileCacheMounts } from './compile-cache.ts';
import { confineReads } from './confine-reads.ts';
import { helperCalls } from './helper-calls.ts';
import { nodeFiles, sourcePaths } from './node-files.ts';
import { FUSE_FD, type Helper, type HelperMount, type JailPlace } from './types.ts';

const fuse = register(2);
const tree = register(3);
const temporary = register(6);
/** A folder of every host, covered in the jail's own mount namespace until it pivots. */
const SCRATCH = '/tmp';
/** Descriptors of the mounts on their way into the jail. */
const FIRST_TREE_FD = 64;
const PRIO_PROCESS = 0;
const ROOT_OPTIONS = 'size=256k,nr_inodes=2k,mode=755';

interface Placed extends HelperMount {
  readonly inside: string;
  readonly isFile: boolean;
  /** Owned by the helper inside, whoever owns it on the disk. */
  readonly mapped: boolean;
}

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
  const given = [...helper.mounts, ...compileCacheMounts(options.compileCache, options.uid)];
  const mounts = placeMounts(given, options.isFile);
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

/** Sorted so that what holds comes before what it holds; what another mount shows alike is left out. */
function placeMounts(given: readonly HelperMount[], isFile: (path: string) => boolean): Placed[] {
  const read = (path: string, inside = path) => ({ path, inside, access: 'read', mapped: false });
  const all = [
    ...nodeFiles().files.map(({ path, inside }) => read(path, inside)),
    ...sourcePaths().map((path) => read(path)),
    ...given.map((each) => ({
      ...each,
      inside: each.inside ?? each.path,
      mapped: each.owners !== 'kept',
    })),
  ] as Omit<Placed, 'isFile'>[];
  const sorted = all.sort((a, b) => (a.inside < b.inside ? -1 : 1));
  return sorted
    .filter((each) => {
      const above = holderOf(each.inside, sorted);
      return !(above && above.access === 'read' && each.access === 'read' && !each.mapped);
    })
    .map((each) => ({ ...each, isFile: isFile(each.path) }));
}

function holderOf<T extends { readonly inside: string }>(
  path: string,
  mounts: readonly T[],
): T | undefined {
  return mounts.findLast(({ inside }) => path !== inside && path.startsWith(`${inside}/`));
}

function assembleRoot(program: LaunchProgram, helper: Helper, mounts: readonly Placed[]): void {
  mount(program, 'detach mounts from the host', {
    target: '/',
    flags: linux.MS_REC | linux.MS_SLAVE,
  });
  if (helper.fuse) {
    open(program, 'open the FUSE device', '/dev/fuse', linux.O_RDWR, { result: fuse });
    program.call('open the FUSE device', 'dup3', [fuse, FUSE_FD + 1, linux.O_CLOEXEC]);
    program.call('open the FUSE device', 'dup3', [FUSE_FD + 1, FUSE_FD, 0]);
  }
  for (const [index, each] of mounts.entries()) takeTree(program, each, FIRST_TREE_FD + index);
  mount(program, 'mount the root', {
    source: 'sluice',
    target: SCRATCH,
    type: 'tmpfs',
    flags: linux.MS_NOSUID | linux.MS_NODEV,
    data: ROOT_OPTIONS,
  });
  program.call('enter the root', 'chdir', [program.text(SCRATCH)]);
  program.call('reset the file mode mask', 'umask', [0o022]);
  const made = new Set<string>();
  for (const [index, each] of mounts.entries()) {
    if (!holderOf(each.inside, mounts)) makePlace(program, each, made);
    const target = program.text(each.inside.slice(1));
    const from = FIRST_TREE_FD + index;
    const values = [from, program.text(''), linux.AT_FDCWD, target, linux.MOVE_MOUNT_F_EMPTY_PATH];
    program.call(`mount ${each.inside}`, 'move_mount', values);
  }
  const here = process.cwd();
  if (!holderOf(`${here}/`, mounts)) makeFolders(program, here, made);
  if (helper.fuse) mountFuse(program, helper.fuse);
  mountProc(program, made);
  const root = program.text('.');
  program.call('enter the root', 'pivot_root', [root, root]);
  program.call('leave the host behind', 'umount2', [root, linux.MNT_DETACH]);
  program.call('enter the working directory', 'chdir', [program.text(here)]);
  const restricted = linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NODEV;
  mount(program, 'make the root read-only', {
    target: '/',
    flags: linux.MS_REMOUNT | linux.MS_BIND | restricted,
  });
}

/** Holds a mount of its own of what the host has at the path, with the jail's restrictions on it. */
function takeTree(program: LaunchProgram, each: Placed, fd: number): void {
  const name = `take ${each.path}`;
  const flags = linux.OPEN_TREE_CLONE | linux.O_CLOEXEC;
  const path = program.text(each.path);
  program.call(name, 'open_tree', [linux.AT_FDCWD, path, flags], { result: tree });
  program.call(name, 'dup3', [tree, fd, linux.O_CLOEXEC]);
  program.call(name, 'close', [tree]);
  const isData = each.mapped ? linux.MOUNT_ATTR_NOEXEC | linux.MOUNT_ATTR_IDMAP : 0;
  const readOnly = each.access === 'read' ? linux.MOUNT_ATTR_RDONLY : 0;
  const set = linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV | isData | readOnly;
  const content = Buffer.alloc(linux.MOUNT_ATTR_BYTES);
  content.writeBigUInt64LE(BigInt(set), 0);
  content.writeBigUInt64LE(BigInt(linux.MS_PRIVATE), 16);
  content.writeBigUInt64LE(BigInt(each.mapped ? userNamespaceFd : 0), 24);
  const attributes = program.bytes(content);
  const values = [fd, program.text(''), linux.AT_EMPTY_PATH, attributes, content.length];
  program.call(`restrict ${each.path}`, 'mount_setattr', values);
}

function makePlace(program: LaunchProgram, { inside, isFile }: Placed, made: Set<string>): void {
  makeFolders(program, isFile ? dirname(inside) : inside, made);
  if (!isFile) return;
  const flags = linux.O_WRONLY | linux.O_CREAT;
  open(program, `make ${inside}`, inside.slice(1), flags, { result: temporary, mode: 0o644 });
  program.call(`make ${inside}`, 'close', [temporary]);
}

function makeFolders(program: LaunchProgram, last: string, made: Set<string>): void {
  const folders: string[] = [];
  for (let each = last; each !== '/'; each = dirname(each)) folders.unshift(each);
  for (const folder of folders) {
    if (made.has(folder)) continue;
    made.add(folder);
    const values = [linux.AT_FDCWD, program.text(folder.slice(1)), 0o755];
    program.call(`make ${folder}`, 'mkdirat', values);
  }
}

/** A /proc of the helper alone: other users' processes are not in it, nor what is the kernel's. */
function mountProc(program: LaunchProgram, made: Set<string>): void {
  makeFolders(program, '/proc', made);
  mount(program, 'mount /proc', {
    source: 'proc',
    target: 'proc',
    type: 'proc',
    flags: linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC,
    data: 'hidepid=2,subset=pid',
  });
}

function mountFuse(program: LaunchProgram, options: NonNullable<Helper['fuse']>): void {
  const { mountPoint, maxReadBytes } = options;
  const data = [
    `fd=${FUSE_FD}`,
    'rootmode=40000',
    'user_id=0',
    'group_id=0',
    'allow_other',
    `max_read=${maxReadBytes}`,
  ];
  mount(program, 'mount FUSE', {
    source: 'sluice',
    target: mountPoint.slice(1),
    type: 'fuse.sluice',
    flags: linux.MS_NOSUID | linux.MS_NODEV,
    data: data.join(','),
  });
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
