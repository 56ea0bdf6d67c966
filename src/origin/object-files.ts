import { mkdir, open, readdir, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SluiceError, systemErrorCode } from '../base/mod.ts';
import { isKeySegment } from './object-store.ts';

/**
 * Files below a folder by ascending path, those after the path `after`; holds the names of one
 * folder a level at a time.
 */
export async function* walk(folder: string, after = ''): AsyncIterable<string> {
  const found = await absentAs([], readdir(folder, { withFileTypes: true }), folder);
  // `lost+found`, `.DS_Store`: no key has such a name, so it is not ours.
  const entries = found.filter(({ name }) => isKeySegment(name));
  const keyOf = (entry: (typeof entries)[number]) =>
    entry.isDirectory() ? `${entry.name}/` : entry.name;
  entries.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      const holdsLater = `${path}/` > after || after.startsWith(`${path}/`);
      if (holdsLater) yield* walk(path, after);
    } else if (path > after) {
      yield path;
    }
  }
}

/** What `work` gives, or `absent` where nothing has that path; throws as `storageError` says. */
export async function absentAs<T, U>(absent: U, work: Promise<T>, path: string): Promise<T | U> {
  try {
    return await work;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return absent;
    throw storageError(error, path);
  }
}

/**
 * Runs `work`, and again with the path's folder made if that is what was missing; more than once,
 * for somebody else may remove the folder, empty as it is, in between.
 */
export async function inFolder<T>(path: string, work: () => Promise<T>, tries = 4): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT' || tries === 0) throw error;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    return await inFolder(path, work, tries - 1);
  }
}

/** Removes a folder and those above it, up to `top`, for as long as they are empty. */
export async function removeEmpty(folder: string, top: string): Promise<void> {
  for (let each = folder; each.length > top.length; each = dirname(each)) {
    try {
      await rmdir(each);
    } catch (error) {
      const code = systemErrorCode(error) ?? '';
      if (code !== 'ENOENT' && code !== 'ENOTEMPTY') throw storageError(error, each);
      if (code === 'ENOTEMPTY') return;
    }
  }
}

/** Makes the names in a folder survive a power failure; one that is gone needs none. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await absentAs(undefined, open(folder, 'r'), folder);
  if (!handle) return;
  try {
    await handle.sync();
  } catch (error) {
    throw storageError(error, folder);
  } finally {
    await handle.close();
  }
}

/** `DISK_FULL`, `ACCESS_DENIED` or `ORIGIN_UNAVAILABLE`, with the path. */
export function storageError(error: unknown, path: string): SluiceError {
  if (error instanceof SluiceError) return error;
  const code = systemErrorCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SluiceError('DISK_FULL', `${path}: no space left; free some and try again`, {
      data: { path },
      cause: error,
    });
  }
  const denied = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
  return new SluiceError(
    denied ? 'ACCESS_DENIED' : 'ORIGIN_UNAVAILABLE',
    `${path}: ${error instanceof Error ? error.message : String(error)}`,
    { data: { path, systemCode: code }, cause: error },
  );
}
