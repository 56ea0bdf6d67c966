import { chmodSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { SluiceError } from '../base/mod.ts';
import { inTransaction, openDatabase, parseBody } from '../database/mod.ts';
import type { AccessKeyRecord, AccountRecord, KnownKey } from './account-records.ts';

const migrations: readonly string[] = [
  `
  CREATE TABLE accounts (
    account_id TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
  ) STRICT;
  CREATE TABLE access_keys (
    access_key_id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (account_id),
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX access_keys_account ON access_keys (account_id);
  `,
];

const accountId = /^\d{12}$/;

/**
 * Accounts and their access keys: one SQLite file that only its owner may read, since verifying a
 * signature takes the secret itself. Other processes may change it meanwhile (the command line
 * beside a running region): what they commit is in force with the next `find`.
 */
export class SqliteAccountStore {
  readonly #database: DatabaseSync;
  readonly #dataVersion: StatementSync;
  readonly #keys = new Map<string, KnownKey>();
  #seenVersion: unknown;

  private constructor(database: DatabaseSync) {
    this.#database = database;
    database.exec('PRAGMA foreign_keys = ON');
    this.#dataVersion = database.prepare('PRAGMA data_version');
    this.#load();
  }

  static open(path: string): SqliteAccountStore {
    const database = openDatabase(path, migrations);
    if (path !== ':memory:') chmodSync(path, 0o600);
    return new SqliteAccountStore(database);
  }

  /** Rejects with `ACCOUNT_EXISTS`, or `USAGE` for an id that is not twelve digits. */
  addAccount(account: AccountRecord): void {
    if (!accountId.test(account.accountId)) {
      throw new SluiceError('USAGE', `${account.accountId}: an account id is twelve digits`);
    }
    const added = this.#database
      .prepare('INSERT INTO accounts VALUES (?, ?) ON CONFLICT DO NOTHING')
      .run(account.accountId, JSON.stringify(account));
    if (added.changes === 0) {
      throw new SluiceError('ACCOUNT_EXISTS', `${account.accountId}: this account exists`);
    }
  }

  listAccounts(): AccountRecord[] {
    return this.#database
      .prepare('SELECT body FROM accounts ORDER BY account_id')
      .all()
      .map((row) => parseBody<AccountRecord>(row['body'], 'account'));
  }

  /** Writes all of the keys or none; a rotation is the new key and the old one disabled. */
  putKeys(keys: readonly AccessKeyRecord[]): void {
    const known = this.#database.prepare('SELECT 1 FROM accounts WHERE account_id = ?');
    const put = this.#database.prepare(
      `INSERT INTO access_keys VALUES (?, ?, ?)
       ON CONFLICT (access_key_id) DO UPDATE SET body = excluded.body`,
    );
    inTransaction(this.#database, () => {
      for (const key of keys) {
        if (!known.get(key.accountId)) {
          throw new SluiceError('ACCOUNT_NOT_FOUND', `${key.accountId}: no such account`);
        }
        put.run(key.accessKeyId, key.accountId, JSON.stringify(key));
      }
    });
    this.#load();
  }

  listKeys(ofAccount: string): AccessKeyRecord[] {
    return this.#database
      .prepare('SELECT body FROM access_keys WHERE account_id = ? ORDER BY access_key_id')
      .all(ofAccount)
      .map((row) => parseBody<AccessKeyRecord>(row['body'], 'access key'));
  }

  /** Answers from memory; also for keys that are disabled, so that the caller can say so. */
  find(accessKeyId: string): KnownKey | undefined {
    if (this.#version() !== this.#seenVersion) this.#load();
    return this.#keys.get(accessKeyId);
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  /** SQLite counts the commits of other connections; asking costs no read of the file's content. */
  #version(): unknown {
    return this.#dataVersion.get()?.['data_version'];
  }

  #load(): void {
    this.#seenVersion = this.#version();
    this.#keys.clear();
    for (const row of this.#database.prepare('SELECT body FROM access_keys').all()) {
      const key = parseBody<AccessKeyRecord>(row['body'], 'access key');
      const name = key.userName === undefined ? 'root' : `user/${key.userName}`;
      this.#keys.set(key.accessKeyId, {
        ...key,
        principalArn: `arn:aws:iam::${key.accountId}:${name}`,
      });
    }
  }
}
