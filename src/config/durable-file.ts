import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileError, systemErrorCode } from '../base/mod.ts';

/** Undefined where there is none. Throws as `fileError` says, naming the file. */
export function readFileIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw fileError(error, path);
  }
}

/**
 * Writes a file of 0600 whole, and durably with its name when it returns. With `keep`, what is there already
 * stays. Throws as `fileError` says, naming the file; then what was there is there.
 */
export function replaceFileSync(path: string, text: string, keep = false): void {
  const temporary = `${path}.${process.pid}`;
  try {
    writeFileSync(temporary, text, { mode: 0o600, flush: true });
    if (keep) linkUnlessThere(temporary, path);
    else renameSync(temporary, path);
    const folder = openSync(dirname(path), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch (error) {
    throw fileError(error, path);
  } finally {
    removeQuietly(temporary);
  }
}

/** As `replaceFileSync`, for a file that one process writes, one write at a time; holds nobody up. */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.new`;
  try {
    await writeFile(temporary, content, { mode: 0o600, flush: true });
    await rename(temporary, path);
    const folder = await open(dirname(path), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw fileError(error, path);
  }
}

function linkUnlessThere(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
  }
}

/** What cannot be removed from a disk that fails must not hide that it failed. */
function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // A stray file, which the next start names.
  }
}
