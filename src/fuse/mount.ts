import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { SluiceError } from '../base/mod.ts';

/** Runs a program of util-linux; `fuseFd` becomes its descriptor 3. */
async function run(command: string, args: readonly string[], fuseFd?: number): Promise<void> {
  const extra = fuseFd === undefined ? [] : [fuseFd];
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe', ...extra] });
  let complaint = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(0, 4096);
  });
  await new Promise<void>((resolve, reject) => {
    child.on('error', (cause) =>
      reject(new SluiceError('HOST_LACKS', `${command}: cannot be started`, { cause })),
    );
    child.on('close', (status) => {
      if (status === 0) return resolve();
      const what = `${command} ${args.join(' ')}: ${complaint.trim() || `exit status ${status}`}`;
      reject(new SluiceError('HOST_LACKS', what, { data: { status } }));
    });
  });
}

export interface FuseMount {
  /** The connection; read by a `FuseServer`, closed by its owner. */
  readonly fd: number;
  readonly mountPoint: string;
}

/**
 * Opens `/dev/fuse` and mounts it on a directory or a plain file with util-linux's `mount`, which
 * every host has; no FUSE package is needed. Root only. The kernel's INIT waits in the queue
 * until a `FuseServer` reads it. Rejects with `HOST_LACKS`.
 */
export async function mountFuse(
  mountPoint: string,
  root: 'directory' | 'file',
  maxReadBytes: number,
): Promise<FuseMount> {
  let fd: number;
  try {
    fd = openSync('/dev/fuse', 'r+');
  } catch (cause) {
    throw new SluiceError('HOST_LACKS', '/dev/fuse: cannot be opened; load the fuse module', {
      cause,
    });
  }
  const options = [
    'fd=3',
    `rootmode=${root === 'directory' ? '40000' : '100000'}`,
    'user_id=0',
    'group_id=0',
    'allow_other',
    `max_read=${maxReadBytes}`,
  ];
  const kind = ['-i', '-t', 'fuse.sluice', '-o', options.join(',')];
  try {
    await run('mount', [...kind, 'sluice', mountPoint], fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { fd, mountPoint };
}

/** Lazy, so that it never waits: whoever still has a file open keeps it until they close it. */
export async function unmountFuse(mountPoint: string): Promise<void> {
  await run('umount', ['--lazy', '--no-mtab', mountPoint]);
}
