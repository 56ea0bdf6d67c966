import { dirname } from 'node:path';
import * as linux from '../launch/linux.ts';
import { userNamespaceFd } from '../launch/map-owners.ts';
import { type LaunchProgram, register } from '../launch/program.ts';
import { mount, open } from '../lean/compose/common.ts';
import { nodeFiles, sourcePaths } from './node-files.ts';
import { FUSE_FD, type Helper, type HelperMount } from './types.ts';

const fuse = register(2);
const temporary = register(6);
const tree = register(3);
/** A folder of every host, covered in the jail's own mount namespace until it pivots. */
const SCRATCH = '/tmp';
/** Descriptors of the mounts on their way into the jail. */
const FIRST_TREE_FD = 64;
const ROOT_OPTIONS = 'size=256k,nr_inodes=2k,mode=755';

/** A mount of a helper as its jail has it. */
export interface Placed extends HelperMount {
  readonly inside: string;
  readonly isFile: boolean;
  /** Owned by the helper inside, whoever owns it on the disk. */
  readonly mapped: boolean;
}

/** Sorted so that what holds comes before what it holds; what another mount shows alike is left out. */
export function placeMounts(
  given: readonly HelperMount[],
  isFile: (path: string) => boolean,
): Placed[] {
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

/** The jail's root, of the mounts and nothing else, in place of the host's. */
export function assembleRoot(
  program: LaunchProgram,
  helper: Helper,
  mounts: readonly Placed[],
): void {
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
