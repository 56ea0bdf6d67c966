import { closeSync, constants, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { PAGE_SIZE_BYTES, systemErrorCode } from '../base/mod.ts';
import { unmountFuse } from '../fuse/mod.ts';
import { unmountDevice } from './loop-mount.ts';

/** Takes away what a device of a killed agent left mounted over a file, if that is so. */
export async function clearStaleFile(file: string): Promise<void> {
  try {
    statSync(file);
  } catch (error) {
    // ECONNABORTED is the first answer of a connection that was broken amid a request.
    const code = systemErrorCode(error);
    if (code === 'ENOTCONN' || code === 'ECONNABORTED') await unmountFuse(file);
  }
}

/**
 * Takes away a mounted loop device whose backing file's agent is gone: every read fails with EIO, of
 * whoever still uses it too, so nothing is lost.
 */
export async function clearStaleMount(directory: string): Promise<void> {
  const source = loopDeviceOn(await realpath(directory).catch(() => directory));
  if (source !== undefined && isDead(source)) await unmountDevice(directory, { lazy: true });
}

/** The loop device of the last file system that was mounted on a directory. */
function loopDeviceOn(directory: string): string | undefined {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').trimEnd().split('\n');
  for (const line of lines.reverse()) {
    // proc_pid_mountinfo(5): id, parent, device, root, mount point, options, …, -, type, source.
    const [mount = '', origin = ''] = line.split(' - ');
    const mountPoint = mount.split(' ')[4]?.replaceAll('\\040', ' ');
    const source = origin.split(' ')[1] ?? '';
    if (mountPoint === directory) return source.startsWith('/dev/loop') ? source : undefined;
  }
  return undefined;
}

/** Does reading it past the page cache fail? */
function isDead(device: string): boolean {
  // Such a read wants memory that begins with a block, as WebAssembly's does and a Buffer's rarely.
  const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  let file: number | undefined;
  try {
    file = openSync(device, constants.O_RDONLY | constants.O_DIRECT);
    readSync(file, new Uint8Array(buffer), 0, PAGE_SIZE_BYTES, 0);
    return false;
  } catch (error) {
    return systemErrorCode(error) === 'EIO';
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
