import { KIB } from '../../../base/mod.ts';
import * as linux from '../../launch/linux.ts';
import { type LaunchProgram, register } from '../../launch/program.ts';
import type { ProcView } from '../proc-view.ts';
import { makeDirectory, mount, open } from './common.ts';
import { remountReadOnly } from './root.ts';

const RESTRICTED = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC;
const temporary = register(6);
/** Under memory pressure of the whole host, sandboxes go before the host's own services. */
const OOM_SCORE_ADJUSTMENT = '500\n';

/** For the names, and for what views of /proc hold. */
const DEVICES_BYTES = 128 * KIB;

/** Name, major, minor of the devices that programs take for granted (`devices.txt`). */
const DEVICES = [
  ['null', 1, 3],
  ['zero', 1, 5],
  ['full', 1, 7],
  ['random', 1, 8],
  ['urandom', 1, 9],
  ['tty', 5, 0],
] as const;

const DEVICE_LINKS = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
] as const;

/** A /dev of character devices only: nothing that stores, and nothing of the host's hardware. */
export function mountDevices(program: LaunchProgram): void {
  makeDirectory(program, '/dev');
  const flags = linux.MS_NOSUID | linux.MS_NOEXEC;
  const data = `size=${DEVICES_BYTES},nr_inodes=32,mode=755`;
  mount(program, 'mount /dev', { source: 'tmpfs', target: '/dev', type: 'tmpfs', flags, data });
  for (const [name, major, minor] of DEVICES) {
    const values = [
      linux.AT_FDCWD,
      program.text(`/dev/${name}`),
      linux.S_IFCHR | 0o666,
      major * 256 + minor,
    ];
    program.call(`make /dev/${name}`, 'mknodat', values);
  }
  for (const [name, target] of DEVICE_LINKS) {
    const values = [program.text(target), linux.AT_FDCWD, program.text(`/dev/${name}`)];
    program.call(`make /dev/${name}`, 'symlinkat', values);
  }
}

/** No more files are made in it. */
export function sealDevices(program: LaunchProgram): void {
  remountReadOnly(program, '/dev', linux.MS_NOSUID | linux.MS_NOEXEC);
}

/** Where files of ours are made that are then mounted elsewhere, and whose name goes. */
const MADE_HERE = '/dev/.view';

/**
 * A /proc of the sandbox's own processes, and of the rest what the view shows: the kernel's
 * parameters read-only, files of ours in place of those that tell of the host, and nothing else.
 * Needs /dev, still writable.
 */
export function mountProc(program: LaunchProgram, view: ProcView): void {
  makeDirectory(program, '/proc');
  mount(program, 'mount /proc', {
    source: 'proc',
    target: '/proc',
    type: 'proc',
    flags: RESTRICTED,
  });
  const score = program.bytes(Buffer.from(OOM_SCORE_ADJUSTMENT));
  const name = 'offer to the out-of-memory killer';
  open(program, name, '/proc/self/oom_score_adj', linux.O_WRONLY, { result: temporary });
  program.call(name, 'write', [temporary, score, OOM_SCORE_ADJUSTMENT.length]);
  program.call(name, 'close', [temporary]);
  const step = 'make /proc/sys read-only';
  mount(program, step, { source: '/proc/sys', target: '/proc/sys', flags: linux.MS_BIND });
  remountReadOnly(program, '/proc/sys', RESTRICTED);
  for (const [entry, content] of Object.entries(view.files)) {
    coverFiles(program, [entry], Buffer.from(content));
  }
  coverFiles(program, view.hiddenFiles, Buffer.alloc(0));
  hideDirectories(program, view.hiddenDirectories);
}

/** Mounts one directory over each that is there; nothing can be made in it once its name is gone. */
function hideDirectories(program: LaunchProgram, entries: readonly string[]): void {
  const name = 'make an empty directory';
  program.call(name, 'mkdirat', [linux.AT_FDCWD, program.text(MADE_HERE), 0o555]);
  cover(program, entries);
  const values = [linux.AT_FDCWD, program.text(MADE_HERE), linux.AT_REMOVEDIR];
  program.call(name, 'unlinkat', values);
}

function cover(program: LaunchProgram, entries: readonly string[]): void {
  for (const entry of entries) {
    const where = { source: MADE_HERE, target: `/proc/${entry}`, flags: linux.MS_BIND };
    mount(program, `cover /proc/${entry}`, where, { tolerate: ['ENOENT'] });
  }
}

/** Mounts one file that nobody may write over each of these entries of /proc that is there. */
function coverFiles(program: LaunchProgram, entries: readonly string[], content: Buffer): void {
  const name = `make a view for /proc/${entries[0]}`;
  open(program, name, MADE_HERE, linux.O_WRONLY | linux.O_CREAT | linux.O_EXCL, {
    mode: 0o444,
    result: temporary,
  });
  if (content.length > 0) {
    program.call(name, 'write', [temporary, program.bytes(content), content.length]);
  }
  program.call(name, 'close', [temporary]);
  cover(program, entries);
  program.call(name, 'unlinkat', [linux.AT_FDCWD, program.text(MADE_HERE), 0]);
}
