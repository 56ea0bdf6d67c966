import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { fileError, isSluiceError, PAGE_SIZE_BYTES, SluiceError } from '../base/mod.ts';
import type { LogMark } from './log-mark.ts';
import { requireWholeLog } from './verify-log.ts';

/** SQLite's own default. */
const AUTOCHECKPOINT_PAGES = 1000;
/** The kernel tells an error that is over to each open file once: SQLite's log, and its database. */
const CHECKPOINT_TRIES = 3;

/**
 * After a sync of a log has failed, a later one that succeeds says nothing: the kernel takes the pages
 * that failed for written (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX
 * ATC'20), and ext4 does not even write them when they are written anew, where they were first
 * allocated by what failed. So nothing is acknowledged by such a log: when the disk takes writes
 * again, all of it is copied to the database, and its file begins anew, with other blocks.
 */
export class LogDoubt {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #mark: LogMark | undefined;
  #isRaised = false;

  constructor(path: string, database: DatabaseSync, mark: LogMark | undefined) {
    this.#path = path;
    this.#database = database;
    this.#mark = mark;
  }

  /** Nothing is copied out of the log by itself from now on. */
  raise(): void {
    if (this.#isRaised) return;
    this.#isRaised = true;
    this.#database.exec('PRAGMA wal_autocheckpoint = 0');
  }

  /**
   * Outside of a transaction, before anything is acknowledged. Throws `STORE_UNAVAILABLE` while the disk
   * fails, and `STORE_CORRUPT` when what was committed cannot be read any more.
   */
  settle(): void {
    if (!this.#isRaised) return;
    probe(`${this.#path}-probe`);
    const committed = this.#mark?.look();
    if (committed) requireWholeLog(this.#path, committed);
    const isBusy = Number(this.#copyOut(CHECKPOINT_TRIES)?.['busy']) !== 0;
    if (isBusy) {
      const text = `${this.#path}: is read by another process, which keeps its log from being begun anew`;
      throw new SluiceError('STORE_UNAVAILABLE', text, { data: { path: this.#path } });
    }
    this.#database.exec(`PRAGMA wal_autocheckpoint = ${AUTOCHECKPOINT_PAGES}`);
    this.#isRaised = false;
  }

  #copyOut(tries: number): Record<string, unknown> | undefined {
    try {
      return this.#database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get();
    } catch (error) {
      if (tries === 1 || !isSluiceError(error, 'STORE_UNAVAILABLE')) throw error;
      return this.#copyOut(tries - 1);
    }
  }
}

/** Whether the disk takes anything: found out with a file that is nobody's. */
function probe(path: string): void {
  try {
    const file = openSync(path, 'w', 0o600);
    try {
      writeSync(file, Buffer.alloc(PAGE_SIZE_BYTES));
      fsyncSync(file);
    } finally {
      closeSync(file);
      rmSync(path, { force: true });
    }
  } catch (error) {
    throw fileError(error, path);
  }
}
