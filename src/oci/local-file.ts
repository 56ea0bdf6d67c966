import { constants } from 'node:fs';
import { type FileHandle, open, readlink, realpath } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { SluiceError, systemErrorCode } from '../base/mod.ts';
import { malformed } from './documents.ts';

/** A descriptor that names a file and opens nothing (open(2)); Node has no name for it. */
const O_PATH = 0o10000000;

const absences = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'];

export function notFound(name: string, path: string, cause?: unknown): SluiceError {
  return new SluiceError('IMAGE_NOT_FOUND', `${name}: there is no ${path}`, {
    data: { image: name, path },
    ...(cause !== undefined && { cause }),
  });
}

const isWithin = (path: string, folder: string) =>
  path.startsWith(folder.endsWith(sep) ? folder : folder + sep);

export interface RegularFile {
  readonly file: FileHandle;
  readonly sizeBytes: number;
}

/**
 * Opens a regular file for reading. A pipe or a device in its place is not opened at all, and with
 * `within` neither is a file that any symbolic link leads out to: what was found is judged by the
 * name that the kernel has for it, and that very file is opened. Throws `IMAGE_NOT_FOUND`,
 * `IMAGE_MALFORMED` and `IMAGE_PATH_ESCAPES`.
 */
export async function openRegularFile(path: string, within?: string): Promise<RegularFile> {
  let found: FileHandle | undefined;
  try {
    const folder = within === undefined ? undefined : await realpath(within);
    const real = await realpath(path);
    if (folder !== undefined && !isWithin(real, folder)) throw escapes(path);
    found = await open(real, O_PATH | constants.O_NOFOLLOW);
    const handle = `/proc/self/fd/${found.fd}`;
    if (folder !== undefined && !isWithin(await readlink(handle), folder)) throw escapes(path);
    const stat = await found.stat();
    if (!stat.isFile()) throw malformed(path, 'it is no regular file');
    const file = await open(handle, constants.O_RDONLY | constants.O_NONBLOCK);
    return { file, sizeBytes: stat.size };
  } catch (error) {
    if (!absences.includes(systemErrorCode(error) ?? '')) throw error;
    throw new SluiceError('IMAGE_NOT_FOUND', `${path}: there is no such file`, {
      data: { path },
      cause: error,
    });
  } finally {
    await found?.close();
  }
}

function escapes(path: string): SluiceError {
  return new SluiceError('IMAGE_PATH_ESCAPES', `${path}: it leads out of the directory`);
}

/** Whether a path as it is written lies below a folder; links are for the open to judge. */
export function isWrittenWithin(path: string, folder: string): boolean {
  return isWithin(resolve(path), resolve(folder));
}
