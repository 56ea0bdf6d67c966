import { execFile } from 'node:child_process';
import { stat, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { CHUNK_SIZE_BYTES, KIB, SluiceError } from '../base/mod.ts';

const execute = promisify(execFile);

async function run(command: string, args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await execute(command, args);
    return stdout.trim();
  } catch (cause) {
    const complaint = cause instanceof Error && 'stderr' in cause ? String(cause.stderr) : '';
    const what = `${command} ${args.join(' ')}: ${complaint.trim() || String(cause)}`;
    throw new SluiceError('HOST_LACKS', what, { cause });
  }
}

export interface MountDeviceOptions {
  readonly readOnly: boolean;
}

/** Larger would read into chunks that nobody asked for, smaller would ask for each several times. */
const READ_AHEAD_KIB = CHUNK_SIZE_BYTES / KIB;
const LOOP_MAJOR = 7;

/**
 * Mounts the ext4 disk in a device's file on a directory, through a loop device that the kernel
 * releases with the last unmount. Root only. Rejects with `HOST_LACKS`.
 *
 * The loop device reads past the page cache of the FUSE file (direct I/O): what is read is cached
 * once and not twice, and several reads are in flight instead of one.
 */
export async function mountDevice(
  path: string,
  directory: string,
  options: MountDeviceOptions,
): Promise<void> {
  const kind = options.readOnly ? 'loop,ro,noload' : 'loop,rw';
  await run('mount', ['-t', 'ext4', '-o', kind, path, directory]);
  const { dev } = await stat(directory);
  // Linux's encoding of a device number: minor bits 0-7, major, minor bits from 8 on.
  if (((dev >> 8) & 0xfff) !== LOOP_MAJOR) return;
  const loop = `loop${(dev & 0xff) | ((dev >> 12) & ~0xff)}`;
  await run('losetup', ['--direct-io=on', `/dev/${loop}`]);
  await writeFile(`/sys/block/${loop}/queue/read_ahead_kb`, `${READ_AHEAD_KIB}`);
}

export interface UnmountOptions {
  /** Do not wait for those who use it: for a device that answers nothing any more. */
  readonly lazy?: boolean;
}

/** Unmounts what `mountDevice` mounted; the loop device goes with it. */
export async function unmountDevice(
  directory: string,
  { lazy = false }: UnmountOptions = {},
): Promise<void> {
  await run('umount', lazy ? ['--lazy', directory] : [directory]);
}
