import {
  closeSync,
  constants,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { systemClock, systemErrorCode } from '../base/mod.ts';
import { LOG_HEADER_BYTES, saltsOf } from './log-format.ts';

/** More than any mark takes. */
const MARK_BYTES = 128;
/** Longer than a tick of any filesystem's clock; FAT's is two seconds. */
const TICK_MS = 3000;
const NANOSECONDS_PER_MS = 1e6;

/** What of a log was on disk when its writer was last answered. */
export interface Mark {
  readonly version: 1;
  /** Of the log's header, hexadecimal; a log that was begun anew has others. */
  readonly salts: string;
  readonly frames: number;
  /**
   * When the database's file had been written to, in ns since 1970 by the filesystem's clock, while not
   * all of the frames had been copied to it. While that stays so, the log may not be gone. Undefined
   * where they had, and where a write at the same tick of that clock would not be seen.
   */
  readonly fileWrittenNs?: string;
}

export const markPath = (path: string): string => `${path}-synced`;

/** Undefined where there is none, or one that a loss of power left half written. */
export function readMark(path: string): Mark | undefined {
  try {
    const mark: Partial<Mark> = JSON.parse(readFileSync(markPath(path), 'utf8'));
    return mark.version === 1 ? (mark as Mark) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Keeps beside a database how much of its write-ahead log has been acknowledged. SQLite takes the first
 * damaged frame for the log's end (sqlite.org/walformat.html, section 4.3), as after a commit that a
 * crash cut off; only the mark tells such an end from acknowledged commits that are lost.
 *
 * It is written after what it tells is on disk, and is itself not synced: after a loss of power it
 * may tell less than was there, and never more. A log that is gone was mostly taken in by whoever closed
 * the database last, which a process that ends does of itself. Nothing is opened here that SQLite locks, as
 * closing a file drops its process's locks of it.
 */
export class LogMark {
  readonly #path: string;
  readonly #frames: StatementSync | undefined;
  #log: number | undefined;
  #file: number | undefined;

  constructor(path: string, database: DatabaseSync) {
    this.#path = path;
    this.#frames = countsFrames(database) ? framesOf(database) : undefined;
  }

  /** What has been committed so far. Undefined when it cannot be told now: the mark before stays true. */
  look(): Mark | undefined {
    try {
      const before = this.#readHeader();
      const fileWrittenNs = fileWritten(this.#path);
      const state = this.#frames?.get();
      const frames = Number(state?.['log'] ?? 0);
      if (frames <= 0) return undefined;
      if (!this.#readHeader().equals(before)) return undefined;
      const mark: Mark = { version: 1, salts: saltsOf(before), frames };
      const areCopied = Number(state?.['checkpointed']) >= frames;
      return areCopied || isFresh(fileWrittenNs) ? mark : { ...mark, fileWrittenNs };
    } catch {
      return undefined;
    }
  }

  /** Records what `look` has seen, once it is on disk. */
  write(mark: Mark | undefined): void {
    if (!mark) return;
    try {
      this.#put(mark);
    } catch {
      // A full disk: the commit is safe without its mark, and what stands there is still true.
    }
  }

  close(): void {
    for (const fd of [this.#log, this.#file]) if (fd !== undefined) closeSync(fd);
    this.#log = undefined;
    this.#file = undefined;
  }

  #readHeader(): Buffer {
    this.#log ??= openSync(`${this.#path}-wal`, 'r');
    const bytes = Buffer.alloc(LOG_HEADER_BYTES);
    readSync(this.#log, bytes, 0, LOG_HEADER_BYTES, 0);
    return bytes;
  }

  /** One write of one length, so that a reader never finds a part of it. */
  #put(mark: Mark): void {
    this.#file ??= openSync(markPath(this.#path), constants.O_WRONLY | constants.O_CREAT, 0o600);
    writeSync(this.#file, `${JSON.stringify(mark).padEnd(MARK_BYTES - 1)}\n`, 0);
  }
}

export function fileWritten(path: string): string {
  return String(statSync(path, { bigint: true }).mtimeNs);
}

function isFresh(writtenNs: string): boolean {
  return Math.abs(systemClock.nowMs() - Number(writtenNs) / NANOSECONDS_PER_MS) < TICK_MS;
}

/** Before 3.51, SQLite takes the word for an order to copy the log's pages. */
function countsFrames(database: DatabaseSync): boolean {
  const version = String(database.prepare('SELECT sqlite_version() AS v').get()?.['v']);
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 3 || (major === 3 && minor >= 51);
}

function framesOf(database: DatabaseSync): StatementSync {
  return database.prepare('PRAGMA wal_checkpoint(NOOP)');
}
