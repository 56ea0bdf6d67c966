import { DatabaseSync } from 'node:sqlite';
import { isSluiceError, SluiceError } from '../base/mod.ts';
import { databaseError, namingErrors } from './database-error.ts';
import { LogDoubt } from './log-doubt.ts';
import { LogMark } from './log-mark.ts';
import { requireAcknowledgedLog } from './verify-log.ts';

/**
 * Opens a database whose commits survive a crash of the host (WAL, synchronous=FULL) and brings
 * its schema up to date: `migrations[n]` takes it from version n to n+1, each in a transaction.
 * Throws `STORE_CORRUPT` when a newer Sluice wrote it, it is no database, or its log has lost what was
 * acknowledged; every error of it, now and later, begins with the file.
 */
export function openDatabase(path: string, migrations: readonly string[]): DatabaseSync {
  const { database, mark, doubt } = openMarkedDatabase(path, migrations);
  const exec = database.exec.bind(database);
  database.exec = (sql) => {
    if (sql === BEGIN) doubt.settle();
    try {
      exec(sql);
    } catch (error) {
      if (isSluiceError(error, 'STORE_UNAVAILABLE')) doubt.raise();
      throw error;
    }
    if (sql === COMMIT) mark?.write(mark.look());
  };
  return database;
}

/** The words that the database's own transactions begin and end with. */
export const BEGIN = 'BEGIN IMMEDIATE';
export const COMMIT = 'COMMIT';

export interface MarkedDatabase {
  readonly database: DatabaseSync;
  /** None of one in memory. */
  readonly mark: LogMark | undefined;
  readonly doubt: LogDoubt;
}

/** As `openDatabase`, for those who say themselves what of its log is on disk. */
export function openMarkedDatabase(path: string, migrations: readonly string[]): MarkedDatabase {
  let database: DatabaseSync | undefined;
  const isKept = path !== ':memory:';
  try {
    if (isKept) requireAcknowledgedLog(path);
    database = new DatabaseSync(path, { timeout: 5000 });
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    migrate(database, path, migrations);
    const mark = isKept ? new LogMark(path, database) : undefined;
    if (mark) markingClose(database, mark);
    const named = namingErrors(database, path);
    return { database: named, mark, doubt: new LogDoubt(path, named, mark) };
  } catch (error) {
    database?.close();
    throw databaseError(error, path);
  }
}

function markingClose(database: DatabaseSync, mark: LogMark): void {
  const close = database.close.bind(database);
  database.close = () => {
    close();
    mark.close();
  };
}

function migrate(database: DatabaseSync, path: string, migrations: readonly string[]): void {
  inTransaction(database, () => {
    const row = database.prepare('PRAGMA user_version').get() as { user_version: number };
    if (row.user_version > migrations.length) {
      throw new SluiceError(
        'STORE_CORRUPT',
        `${path}: schema ${row.user_version} is newer than this Sluice knows; use a newer one`,
        { data: { path, schema: row.user_version } },
      );
    }
    for (const script of migrations.slice(row.user_version)) database.exec(script);
    database.exec(`PRAGMA user_version = ${migrations.length}`);
  });
}

/** Runs `work` as one transaction that takes the write lock at once; a throw rolls it back. */
export function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec(BEGIN);
  try {
    const result = work();
    database.exec(COMMIT);
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

/** Parses a stored JSON body; what does not parse is a damaged store and not a caller's mistake. */
export function parseBody<T>(body: unknown, what: string): T {
  try {
    const record: unknown = typeof body === 'string' ? JSON.parse(body) : undefined;
    if (typeof record === 'object' && record !== null) return record as T;
  } catch (cause) {
    throw new SluiceError('STORE_CORRUPT', `${what}: stored record is not JSON`, { cause });
  }
  throw new SluiceError('STORE_CORRUPT', `${what}: stored record is no object`);
}
