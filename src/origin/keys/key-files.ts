import { constants } from 'node:fs';
import { link, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Random, SluiceError, systemErrorCode } from '../../base/mod.ts';

/** A file that only its owner may read; `undefined` when there is none. */
export async function readSecret(path: string): Promise<Buffer | undefined> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) === 0) return await readFile(path);
    throw new SluiceError(
      'KEY_DENIED',
      `${path}: others may read this key file; chmod 600 it, and replace the key if they did`,
      { data: { path, mode: (mode & 0o777).toString(8) } },
    );
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    if (error instanceof SluiceError) throw error;
    throw new SluiceError('KEY_SERVICE_UNAVAILABLE', `${path}: cannot be read`, { cause: error });
  }
}

/** The names in a folder of secrets; none when there is no such folder. */
export async function listSecrets(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw new SluiceError('KEY_SERVICE_UNAVAILABLE', `${folder}: cannot be read`, { cause: error });
  }
}

/** Writes a 0600 file whole and durably, unless one is there: then it stays, and answers false. */
export async function createSecret(path: string, bytes: Buffer, random: Random): Promise<boolean> {
  try {
    await writeSecret(path, bytes, random, link);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return false;
    throw writeError(path, error);
  }
}

/** As `createSecret`, in the place of what is there. */
export async function replaceSecret(path: string, bytes: Buffer, random: Random): Promise<void> {
  try {
    await writeSecret(path, bytes, random, rename);
  } catch (error) {
    throw writeError(path, error);
  }
}

async function writeSecret(
  path: string,
  bytes: Buffer,
  random: Random,
  place: (temporary: string, path: string) => Promise<void>,
): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // Starts with a dot, so that a listing of keys passes over what a killed writer left.
  const temporary = `${folder}/.${random.bytes(8).toString('hex')}`;
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
    const file = await open(temporary, flags, 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await place(temporary, path);
    await syncFolder(folder);
    await syncFolder(dirname(folder));
  } finally {
    await rm(temporary, { force: true });
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function writeError(path: string, cause: unknown): SluiceError {
  const code = systemErrorCode(cause) === 'ENOSPC' ? 'DISK_FULL' : 'KEY_SERVICE_UNAVAILABLE';
  return new SluiceError(code, `${path}: the key file cannot be written`, {
    data: { path },
    cause,
  });
}
