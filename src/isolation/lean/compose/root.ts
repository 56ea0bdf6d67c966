import type { CgroupView } from '../../cgroup/types.ts';
import * as linux from '../../launch/linux.ts';
import type { LaunchProgram } from '../../launch/program.ts';
import { register } from '../../launch/program.ts';
import { makeDirectory, mount, open } from './common.ts';
import { type DiskOptions, mountDisk, mountScratchDisk, OPEN_DISK } from './disk.ts';
import { mountHostDirectories, type OwnedMount, takeHostDirectories } from './host-mounts.ts';
import { moveSys, prepareSys } from './sys.ts';

/** A directory of every host, covered in the sandbox's own mount namespace until it pivots. */
const SCRATCH = '/tmp';
const SCRATCH_OPTIONS = 'size=512k,nr_inodes=256,mode=755';
/** Below this many inodes a /tmp of the least size would be full of empty files at once. */
const TMP_BYTES_PER_INODE = 16 * 1024;
const diskFile = register(2);
const scratchFile = register(10);
const temporary = register(6);

/** What /tmp is made of: memory of the sandbox's own, or a file with an empty ext4 in it. */
export type TmpOptions =
  | { readonly kind: 'memory'; readonly bytes: number }
  | {
      readonly kind: 'disk';
      readonly path: string;
      /** An earlier life of the sandbox wrote to it. */
      readonly isUsed: boolean;
    };

export interface RootOptions {
  readonly disk: DiskOptions;
  readonly tmp: TmpOptions;
  readonly cgroups: readonly CgroupView[];
  readonly hostMounts: readonly OwnedMount[];
  /** Files of the sandbox's own in /etc, path to content; they replace those of the image. */
  readonly files: Readonly<Record<string, string>>;
  /** Lines that are added to the image's files, or make a file that it lacks. */
  readonly lines: Readonly<Record<string, string>>;
}

/**
 * Makes the root: the disk, read-only, under a small overlay that holds what the image lacks
 * (mount points, /etc/hosts), and leaves everything of the host behind. Ends in `/`.
 */
export function assembleRoot(program: LaunchProgram, options: RootOptions): void {
  const { disk, tmp } = options;
  open(program, OPEN_DISK, disk.path, linux.O_RDONLY, { result: diskFile });
  if (tmp.kind === 'disk') {
    open(program, 'open the disk of /tmp', tmp.path, linux.O_RDWR, { result: scratchFile });
  }
  program.call('reset the file mode mask', 'umask', [0]);
  const flags = linux.MS_REC | linux.MS_PRIVATE;
  mount(program, 'detach mounts from the host', { target: '/', flags });
  takeHostDirectories(program, options.hostMounts);
  mount(program, 'mount the scratch area', {
    source: 'sluice',
    target: SCRATCH,
    type: 'tmpfs',
    flags: linux.MS_NOSUID | linux.MS_NODEV,
    data: SCRATCH_OPTIONS,
  });
  for (const name of ['disk', 'upper', 'work', 'root', 'tmp']) {
    const path = program.text(`${SCRATCH}/${name}`);
    program.call('make the scratch area', 'mkdirat', [linux.AT_FDCWD, path, 0o755]);
  }
  prepareSys(program, SCRATCH, options.cgroups);
  mountDisk(program, diskFile, `${SCRATCH}/disk`, disk.directIo);
  if (tmp.kind === 'disk') prepareTmp(program, tmp.isUsed);
  mount(program, 'mount the overlay', {
    source: 'sluice',
    target: `${SCRATCH}/root`,
    type: 'overlay',
    flags: linux.MS_NOSUID | linux.MS_NODEV,
    data: `lowerdir=${SCRATCH}/disk,upperdir=${SCRATCH}/upper,workdir=${SCRATCH}/work`,
  });
  const here = program.text('.');
  program.call('enter the root', 'chdir', [program.text(`${SCRATCH}/root`)]);
  program.call('enter the root', 'pivot_root', [here, here]);
  program.call('leave the host behind', 'umount2', [here, linux.MNT_DETACH]);
  program.call('enter the root', 'chdir', [program.text('/')]);
  if (tmp.kind === 'disk') moveTmp(program);
  else mountTmp(program, tmp.bytes);
  moveSys(program);
  mountHostDirectories(program, options.hostMounts);
  makeDirectory(program, '/etc');
  for (const [path, content] of Object.entries(options.files)) replaceFile(program, path, content);
  for (const [path, line] of Object.entries(options.lines)) addLine(program, path, line);
}

/** From here on the root is read-only; only what was mounted on it is not. */
export function sealRoot(program: LaunchProgram): void {
  remountReadOnly(program, '/', linux.MS_NOSUID | linux.MS_NODEV);
  program.call('set the file mode mask', 'umask', [0o022]);
}

export function remountReadOnly(program: LaunchProgram, target: string, flags: number): void {
  mount(program, `make ${target} read-only`, {
    target,
    flags: linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY | flags,
  });
}

function mountTmp(program: LaunchProgram, tmpBytes: number): void {
  makeDirectory(program, '/tmp', 0o1777);
  const inodes = Math.max(1024, Math.floor(tmpBytes / TMP_BYTES_PER_INODE));
  mount(program, 'mount /tmp', {
    source: 'tmpfs',
    target: '/tmp',
    type: 'tmpfs',
    flags: linux.MS_NOSUID | linux.MS_NODEV,
    data: `size=${tmpBytes},nr_inodes=${inodes},mode=1777`,
  });
}

/** Mounts it while loop devices can be reached, and keeps a hold on it across the pivot. */
function prepareTmp(program: LaunchProgram, isUsed: boolean): void {
  const path = `${SCRATCH}/tmp`;
  mountScratchDisk(program, scratchFile, path);
  const at = program.text(path);
  if (!isUsed) {
    const found = program.text(`${path}/lost+found`);
    const values = [linux.AT_FDCWD, found, linux.AT_REMOVEDIR];
    program.call('empty /tmp', 'unlinkat', values, { tolerate: ['ENOENT'] });
    program.call('open /tmp to all', 'fchmodat', [linux.AT_FDCWD, at, 0o1777]);
  }
  const flags = linux.OPEN_TREE_CLONE | linux.O_CLOEXEC;
  const values = [linux.AT_FDCWD, at, flags];
  program.call('keep /tmp', 'open_tree', values, { result: scratchFile });
}

function moveTmp(program: LaunchProgram): void {
  makeDirectory(program, '/tmp', 0o1777);
  const target = program.text('/tmp');
  const empty = program.text('');
  const flags = linux.MOVE_MOUNT_T_SYMLINKS | linux.MOVE_MOUNT_F_EMPTY_PATH;
  const values = [scratchFile, empty, linux.AT_FDCWD, target, flags];
  program.call('mount /tmp', 'move_mount', values);
  program.call('mount /tmp', 'close', [scratchFile]);
}

/**
 * Puts a file of ours in place of the image's, be that a file, a link to nowhere or nothing. An
 * image whose /etc is no directory goes without.
 */
function replaceFile(program: LaunchProgram, path: string, content: string): void {
  const name = `write ${path}`;
  const bytes = Buffer.from(content);
  const at = program.text(path);
  program.call(name, 'unlinkat', [linux.AT_FDCWD, at, 0], {
    tolerate: ['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP'],
  });
  open(program, name, at, linux.O_WRONLY | linux.O_CREAT | linux.O_EXCL, {
    mode: 0o644,
    result: temporary,
    tolerate: ['ENOENT', 'ENOTDIR', 'EEXIST', 'ELOOP'],
  });
  const values = [temporary, program.bytes(bytes), bytes.length];
  program.call(name, 'write', values, { tolerate: ['EBADF'] });
  program.call(name, 'close', [temporary], { tolerate: ['EBADF'] });
}

/**
 * Adds a line to a file of the image's, in the overlay. The image's last line may lack its end, so
 * ours begins with one. A path at which there is no file, nor can be, goes without.
 */
function addLine(program: LaunchProgram, path: string, line: string): void {
  const name = `add to ${path}`;
  const bytes = Buffer.from(`\n${line}\n`);
  // To write alone would wait for a reader if it is a pipe.
  const flags = linux.O_RDWR | linux.O_APPEND | linux.O_CREAT | linux.O_NONBLOCK;
  open(program, name, path, flags, {
    mode: 0o644,
    result: temporary,
    tolerate: ['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP'],
  });
  const values = [temporary, program.bytes(bytes), bytes.length];
  program.call(name, 'write', values, { tolerate: ['EBADF', 'ENOSPC', 'EAGAIN', 'EINVAL'] });
  program.call(name, 'close', [temporary], { tolerate: ['EBADF'] });
}
