import { stat } from 'node:fs/promises';
import { SluiceError, systemErrorCode } from '../../base/mod.ts';
import type { HostMount } from '../spec.ts';
import type { OwnedMount } from './compose/host-mounts.ts';

/**
 * Finds the owners of directories that a sandbox is to have, whose files will be its own. Throws
 * `SANDBOX_START_FAILED`: also for root's, because a file that is the sandbox's inside may be made
 * setuid, and would be root's outside.
 */
export async function ownersOf(mounts: readonly HostMount[]): Promise<OwnedMount[]> {
  return Promise.all(
    mounts.map(async (each) => {
      const refuse = (why: string, cause?: unknown): never => {
        throw new SluiceError('SANDBOX_START_FAILED', `${each.path}: the file system ${why}`, {
          data: { directory: each.directory },
          cause,
        });
      };
      const found = await stat(each.directory).catch((cause: unknown) =>
        refuse(`cannot be looked at (${systemErrorCode(cause) ?? 'unknown'})`, cause),
      );
      if (!found.isDirectory()) refuse('is no directory on the host');
      if (found.uid === 0 || found.gid === 0) {
        refuse('belongs to root on the host; give it to the user and group that files are to have');
      }
      return { ...each, uid: found.uid, gid: found.gid };
    }),
  );
}
