import { DatabaseSync } from 'node:sqlite';
import { SluiceError } from '../base/mod.ts';
import type { DataDirectory } from './data-directory.ts';

export interface DataLock {
  release(): void;
}

/**
 * One region a data directory. The lock is SQLite's lock on a file of its own, so the kernel drops
 * it when the process goes, however it goes.
 */
export function lockDataDirectory(data: DataDirectory): DataLock {
  const database = new DatabaseSync(data.lockFile);
  try {
    database.exec('PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;');
  } catch (error) {
    database.close();
    throw new SluiceError(
      'DATA_DIRECTORY_LOCKED',
      `${data.path}: another sluice region is running on this data directory; stop it or choose another with --data`,
      { data: { path: data.path }, cause: error },
    );
  }
  return { release: () => database.close() };
}
