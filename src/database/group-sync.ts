import { type FileHandle, open } from 'node:fs/promises';
import type { DatabaseSync } from 'node:sqlite';
import { SluiceError } from '../base/mod.ts';
import type { LogMark } from './log-mark.ts';
import { openMarkedDatabase } from './sqlite-database.ts';

interface Waiting {
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * A database whose commits return before they are on disk: a thread of Node's pool syncs the log,
 * one sync for all commits that were made while the one before was under way. So no commit stops
 * the event loop for the disk. Whoever writes answers nobody before `synced` has resolved.
 *
 * SQLite itself syncs the log before it copies pages out of it, and drops what a loss of power
 * left half written, as with `synchronous = FULL`.
 */
export class GroupSyncedDatabase {
  readonly database: DatabaseSync;
  readonly #path: string;
  readonly #mark: LogMark | undefined;
  #log: FileHandle | undefined;
  #waiting: Waiting[] = [];
  #syncing: Promise<void> | undefined;

  private constructor(database: DatabaseSync, path: string, mark: LogMark | undefined) {
    this.database = database;
    this.#path = path;
    this.#mark = mark;
  }

  /** As `openDatabase`, which syncs the schema; `:memory:` keeps nothing. */
  static open(path: string, migrations: readonly string[]): GroupSyncedDatabase {
    const { database, mark } = openMarkedDatabase(path, migrations);
    database.exec('PRAGMA synchronous = NORMAL');
    return new GroupSyncedDatabase(database, path, mark);
  }

  /** Resolves when all that was committed before the call would survive a loss of power. */
  synced(): Promise<void> {
    if (this.#path === ':memory:') return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#syncing ??= this.#syncAll();
    });
  }

  /** Waits for syncs under way; SQLite syncs the rest as it closes. */
  async close(): Promise<void> {
    await this.#syncing;
    if (this.database.isOpen) this.database.close();
    await this.#log?.close();
    this.#log = undefined;
  }

  async #syncAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        this.#log ??= await open(`${this.#path}-wal`, 'r');
        const committed = this.#mark?.look();
        await this.#log.datasync();
        this.#mark?.write(committed);
        for (const { resolve } of batch) resolve();
      } catch (cause) {
        const text = `${this.#path}: its log cannot be synced to disk`;
        const error = new SluiceError('STORE_CORRUPT', text, { data: { path: this.#path }, cause });
        for (const { reject } of batch) reject(error);
      }
    }
    this.#syncing = undefined;
  }
}
