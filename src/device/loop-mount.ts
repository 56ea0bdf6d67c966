import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { SluiceError } from '../base/mod.ts';

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

/**
 * Mounts the ext4 disk in a device's file on a directory, through a loop device that the kernel
 * releases with the last unmount. Root only. Rejects with `HOST_LACKS`.
 */
export async function mountDevice(
  path: string,
  directory: string,
  options: MountDeviceOptions,
): Promise<void> {
  const kind = options.readOnly ? 'loop,ro,noload' : 'loop,rw';
  await run('mount', ['-t', 'ext4', '-o', kind, path, directory]);
}

/** Unmounts what `mountDevice` mounted; the loop device goes with it. */
export async function unmountDevice(directory: string): Promise<void> {
  await run('umount', [directory]);
}
