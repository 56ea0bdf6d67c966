import type { CgroupView } from '../../cgroup/types.ts';
import * as linux from '../../launch/linux.ts';
import { type LaunchProgram, register } from '../../launch/program.ts';
import { mount } from './common.ts';

const CGROUPS = 'fs/cgroup';
const RESTRICTED = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC;
const tree = register(11);

/**
 * Makes a /sys in the scratch area that has nothing but the sandbox's own cgroups, read-only, by
 * which runtimes size heaps and thread pools; keeps a hold on it across the pivot.
 */
export function prepareSys(
  program: LaunchProgram,
  scratch: string,
  views: readonly CgroupView[],
): void {
  const name = 'make /sys';
  const root = `${scratch}/sys`;
  const named = views.map((view) => view.name).filter(Boolean);
  for (const path of ['', '/fs', `/${CGROUPS}`, ...named.map((each) => `/${CGROUPS}/${each}`)]) {
    program.call(name, 'mkdirat', [linux.AT_FDCWD, program.text(`${root}${path}`), 0o755]);
  }
  for (const view of views) {
    const target = `${root}/${CGROUPS}${view.name && `/${view.name}`}`;
    mount(program, 'show the cgroup', { source: view.directory, target, flags: linux.MS_BIND });
    const flags = linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY | RESTRICTED;
    mount(program, 'show the cgroup', { target, flags });
  }
  const flags = linux.OPEN_TREE_CLONE | linux.AT_RECURSIVE | linux.O_CLOEXEC;
  const values = [linux.AT_FDCWD, program.text(root), flags];
  program.call('keep /sys', 'open_tree', values, { result: tree });
}

/** An image in which /sys cannot be a directory goes without. */
export function moveSys(program: LaunchProgram): void {
  const target = program.text('/sys');
  const tolerate = ['ENOENT', 'ENOTDIR', 'EINVAL', 'ELOOP'] as const;
  program.call('make /sys', 'mkdirat', [linux.AT_FDCWD, target, 0o755], { tolerate: ['EEXIST'] });
  const flags = linux.MOVE_MOUNT_T_SYMLINKS | linux.MOVE_MOUNT_F_EMPTY_PATH;
  const values = [tree, program.text(''), linux.AT_FDCWD, target, flags];
  program.call('mount /sys', 'move_mount', values, { tolerate });
  program.call('mount /sys', 'close', [tree]);
  const readOnly = linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY | RESTRICTED;
  mount(program, 'make /sys read-only', { target: '/sys', flags: readOnly }, { tolerate });
}
