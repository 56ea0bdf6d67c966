import { DatabaseSync } from 'node:sqlite';
import { SluiceError } from '../base/mod.ts';
import type { DataDirectory } from './data-directory.ts';

export interface DataLock {
  release(): void;
}

/** One region a data directory. */
export function lockDataDirectory(data: DataDirectory): DataLock {
  const lock = lockFile(data.lockFile);
  if (lock) return lock;
  throw new SluiceError(
    'DATA_DIRECTORY_LOCKED',
    `${data.path}: another sluice region is running on this data directory; stop it or choose another with --data`,
    { data: { path: data.path } },
  );
}

/**
 * Undefined where another process has it. The lock is SQLite's lock on a file of its own, so the
 * kernel drops it when the process goes, however it goes.
 */
export function lockFile(path: string): DataLock | undefined {
  const database = new DatabaseSync(path);
  try {
    database.exec('PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;');
  } catch {
    database.close();
    return undefined;
  }
  return { release: () => database.close() };
}
