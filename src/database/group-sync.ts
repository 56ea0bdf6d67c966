import { type FileHandle, open } from 'node:fs/promises';
import type { DatabaseSync } from 'node:sqlite';
import { SluiceError } from '../base/mod.ts';
import type { LogDoubt } from './log-doubt.ts';
import type { LogMark } from './log-mark.ts';
import { type MarkedDatabase, openMarkedDatabase } from './sqlite-database.ts';

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
  readonly #doubt: LogDoubt;
  #log: FileHandle | undefined;
  #waiting: Waiting[] = [];
  #syncing: Promise<void> | undefined;

  private constructor({ database, mark, doubt }: MarkedDatabase, path: string) {
    this.database = database;
    this.#path = path;
    this.#mark = mark;
    this.#doubt = doubt;
  }

  /** As `openDatabase`, which syncs the schema; `:memory:` keeps nothing. */
  static open(path: string, migrations: readonly string[]): GroupSyncedDatabase {
    const marked = openMarkedDatabase(path, migrations);
    marked.database.exec('PRAGMA synchronous = NORMAL');
    return new GroupSyncedDatabase(marked, path);
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
        this.#doubt.settle();
        const committed = this.#mark?.look();
        await this.#log.datasync();
        this.#mark?.write(committed);
        for (const { resolve } of batch) resolve();
      } catch (cause) {
        this.#doubt.raise();
        for (const { reject } of batch) reject(this.#unsynced(cause));
      }
    }
    this.#syncing = undefined;
  }

  #unsynced(cause: unknown): SluiceError {
    if (cause instanceof SluiceError) return cause;
    const text = `${this.#path}: its log cannot be synced to disk`;
    return new SluiceError('STORE_UNAVAILABLE', text, { data: { path: this.#path }, cause });
  }
}
