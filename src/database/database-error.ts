import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type ErrorCode, SluiceError, systemErrorCode } from '../base/mod.ts';

/** SQLite's result codes (sqlite.org/rescode.html); extended ones have them in their low byte. */
const SQLITE_CONSTRAINT = 19;
const errorCodes: Readonly<Record<number, ErrorCode>> = {
  5: 'OVERLOADED',
  6: 'OVERLOADED',
  13: 'DISK_FULL',
};

/** Of errors of reading or writing, those that say that a file is cut or damaged. */
const SQLITE_IOERR = 10;
const damagedReads = new Set([2, 32, 33].map((kind) => SQLITE_IOERR | (kind << 8)));

function errorCodeOf(sqliteCode: number): ErrorCode {
  const code = sqliteCode & 0xff;
  if (code === SQLITE_IOERR && !damagedReads.has(sqliteCode)) return 'STORE_UNAVAILABLE';
  return errorCodes[code] ?? 'STORE_CORRUPT';
}

/** What SQLite says of a file that it cannot use; what a statement's own caller did stays. */
export function databaseError(error: unknown, path: string): unknown {
  if (systemErrorCode(error) !== 'ERR_SQLITE_ERROR' || !(error instanceof Error)) return error;
  const { errcode } = error as Error & { readonly errcode?: number };
  if (((errcode ?? 0) & 0xff) === SQLITE_CONSTRAINT) return error;
  return new SluiceError(errorCodeOf(errcode ?? 0), `${path}: ${error.message}`, {
    data: { path, sqliteCode: errcode },
    cause: error,
  });
}

const statementCalls = ['run', 'get', 'all', 'iterate'] as const;

/** The same database; its errors, and those of its statements, name the file. */
export function namingErrors(database: DatabaseSync, path: string): DatabaseSync {
  const named =
    <A extends unknown[], R>(work: (...args: A) => R) =>
    (...args: A): R => {
      try {
        return work(...args);
      } catch (error) {
        throw databaseError(error, path);
      }
    };
  const prepare = database.prepare.bind(database);
  database.prepare = named((sql: string): StatementSync => {
    const statement = prepare(sql);
    for (const call of statementCalls) {
      const plain = statement[call].bind(statement) as (...args: unknown[]) => never;
      Object.defineProperty(statement, call, { value: named(plain) });
    }
    return statement;
  });
  database.exec = named(database.exec.bind(database));
  return database;
}
