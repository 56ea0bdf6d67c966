import * as linux from '../../launch/linux.ts';
import { mapOwners, userNamespaceFd } from '../../launch/map-owners.ts';
import { type LaunchProgram, register } from '../../launch/program.ts';
import type { HostMount } from '../../spec.ts';
import type { SandboxUser } from '../user-pool.ts';
import { makeDirectory } from './common.ts';

/** A directory of the host, and whose it is there. */
export interface OwnedMount extends HostMount, SandboxUser {}

const tree = register(6);
/** Descriptors of the mounts on their way into the root. */
const FIRST_TREE_FD = 64;

const mapFd = (index: number) => userNamespaceFd + index;
const treeFd = (index: number) => FIRST_TREE_FD + index;

/**
 * Makes what turns the directories' owners into the sandbox's user, and back in what it writes.
 * Runs before the fork of init, while the host's process numbers are the own ones.
 */
export function mapHostOwners(
  program: LaunchProgram,
  mounts: readonly OwnedMount[],
  user: SandboxUser,
): void {
  for (const [index, { uid, gid }] of mounts.entries()) {
    mapOwners(program, { uid: [uid, user.uid], gid: [gid, user.gid] }, mapFd(index));
  }
}

/** In the process that needs them no more. */
export function forgetHostOwners(program: LaunchProgram, mounts: readonly OwnedMount[]): void {
  for (const index of mounts.keys()) {
    program.call('close the map of owners', 'close', [mapFd(index)]);
  }
}

/** Holds a mount of each directory's own, without what is mounted below it, its owners mapped. */
export function takeHostDirectories(program: LaunchProgram, mounts: readonly OwnedMount[]): void {
  for (const [index, { directory, path }] of mounts.entries()) {
    const name = `take the file system of ${path}`;
    const flags = linux.OPEN_TREE_CLONE | linux.O_CLOEXEC;
    const values = [linux.AT_FDCWD, program.text(directory), flags];
    program.call(name, 'open_tree', values, { result: tree });
    program.call(name, 'dup3', [tree, treeFd(index), linux.O_CLOEXEC]);
    program.call(name, 'close', [tree]);
    const set = linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV | linux.MOUNT_ATTR_IDMAP;
    const content = Buffer.alloc(linux.MOUNT_ATTR_BYTES);
    content.writeBigUInt64LE(BigInt(set), 0);
    content.writeBigUInt64LE(BigInt(linux.MS_PRIVATE), 16);
    content.writeBigUInt64LE(BigInt(mapFd(index)), 24);
    const attributes = program.bytes(content);
    const restrict = [
      ...[treeFd(index), program.text(''), linux.AT_EMPTY_PATH],
      ...[attributes, content.length],
    ];
    program.call(`map the owners of ${path}`, 'mount_setattr', restrict);
  }
  forgetHostOwners(program, mounts);
}

/** Puts them where they belong, in the root that was entered meanwhile. */
export function mountHostDirectories(program: LaunchProgram, mounts: readonly OwnedMount[]): void {
  if (mounts.length > 0) makeDirectory(program, '/mnt');
  for (const [index, { path }] of mounts.entries()) {
    makeDirectory(program, path);
    const flags = linux.MOVE_MOUNT_F_EMPTY_PATH;
    const values = [treeFd(index), program.text(''), linux.AT_FDCWD, program.text(path), flags];
    program.call(`mount the file system of ${path}`, 'move_mount', values);
    program.call(`mount the file system of ${path}`, 'close', [treeFd(index)]);
  }
}
