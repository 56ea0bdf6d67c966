import { chmodSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { SluiceError } from '../base/mod.ts';
import {
  inTransaction,
  type OnDamaged,
  openDatabase,
  parseBody,
  readRows,
} from '../database/mod.ts';
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

const nameOfAccount = (row: Record<string, unknown>) => `account ${row['account_id']}`;
const nameOfKey = (row: Record<string, unknown>) =>
  `account ${row['account_id']}, access key ${row['access_key_id']}`;

/**
 * Accounts and their access keys: one SQLite file that only its owner may read, since verifying a
 * signature takes the secret itself. Other processes may change it meanwhile (the command line
 * beside a running region): what they commit is in force with the next `find`. A record that cannot
 * be read is reported and passed over: nobody signs with such a key, and all others go on.
 */
export class SqliteAccountStore {
  readonly #database: DatabaseSync;
  readonly #dataVersion: StatementSync;
  readonly #keys = new Map<string, KnownKey>();
  readonly #onDamaged: OnDamaged;
  #seenVersion: unknown;

  private constructor(database: DatabaseSync, onDamaged: OnDamaged) {
    this.#database = database;
    this.#onDamaged = onDamaged;
    database.exec('PRAGMA foreign_keys = ON');
    this.#dataVersion = database.prepare('PRAGMA data_version');
    this.#load();
  }

  static open(path: string, onDamaged: OnDamaged): SqliteAccountStore {
    const database = openDatabase(path, migrations);
    if (path !== ':memory:') chmodSync(path, 0o600);
    return new SqliteAccountStore(database, onDamaged);
  }

  /** Rejects with `ACCOUNT_EXISTS`, or `USAGE` for an id that is not twelve digits. */
  addAccount(account: AccountRecord): void {
    if (!accountId.test(account.accountId)) {
      throw new SluiceError('USAGE', `${account.accountId}: an account id is twelve digits`);
    }
    const insert = this.#database.prepare(
      'INSERT INTO accounts VALUES (?, ?) ON CONFLICT DO NOTHING',
    );
    const added = inTransaction(this.#database, () =>
      insert.run(account.accountId, JSON.stringify(account)),
    );
    if (added.changes === 0) {
      throw new SluiceError('ACCOUNT_EXISTS', `${account.accountId}: this account exists`);
    }
  }

  listAccounts(): AccountRecord[] {
    const rows = this.#database.prepare('SELECT * FROM accounts ORDER BY account_id').all();
    return readRows(rows, nameOfAccount, this.#onDamaged);
  }

  /** Whether the account is recorded, also where its record is damaged. */
  hasAccount(id: string): boolean {
    return (
      this.#database.prepare('SELECT 1 FROM accounts WHERE account_id = ?').get(id) !== undefined
    );
  }

  /** Writes all of the keys or none; a rotation is the new key and the old one disabled. */
  putKeys(keys: readonly AccessKeyRecord[]): void {
    const put = this.#database.prepare(
      `INSERT INTO access_keys VALUES (?, ?, ?)
       ON CONFLICT (access_key_id) DO UPDATE SET body = excluded.body`,
    );
    inTransaction(this.#database, () => {
      for (const key of keys) {
        if (!this.hasAccount(key.accountId)) {
          throw new SluiceError('ACCOUNT_NOT_FOUND', `${key.accountId}: no such account`);
        }
        put.run(key.accessKeyId, key.accountId, JSON.stringify(key));
      }
    });
    this.#load();
  }

  listKeys(ofAccount: string): AccessKeyRecord[] {
    const rows = this.#database
      .prepare('SELECT * FROM access_keys WHERE account_id = ? ORDER BY access_key_id')
      .all(ofAccount);
    return readRows(rows, nameOfKey, this.#onDamaged);
  }

  /** Throws `STORE_CORRUPT` for a key whose record is damaged. */
  readKey(accessKeyId: string): AccessKeyRecord | undefined {
    const row = this.#database
      .prepare('SELECT * FROM access_keys WHERE access_key_id = ?')
      .get(accessKeyId);
    return row && parseBody<AccessKeyRecord>(row['body'], nameOfKey(row));
  }

  /** Whether the key is recorded, also where its record is damaged. */
  hasKey(accessKeyId: string): boolean {
    const asked = this.#database.prepare('SELECT 1 FROM access_keys WHERE access_key_id = ?');
    return asked.get(accessKeyId) !== undefined;
  }

  /** Answers from memory; also for keys that are disabled, so that the caller can say so. */
  find(accessKeyId: string): KnownKey | undefined {
    if (this.#version() !== this.#seenVersion) this.#load();
    return this.#keys.get(accessKeyId);
  }

  /** Looks through all keys: for what happens seldom. */
  keysOf(principalArn: string): KnownKey[] {
    if (this.#version() !== this.#seenVersion) this.#load();
    return [...this.#keys.values()].filter((key) => key.principalArn === principalArn);
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
    const rows = this.#database.prepare('SELECT * FROM access_keys').all();
    for (const key of readRows<AccessKeyRecord>(rows, nameOfKey, this.#onDamaged)) {
      const name = key.userName === undefined ? 'root' : `user/${key.userName}`;
      this.#keys.set(key.accessKeyId, {
        ...key,
        principalArn: `arn:aws:iam::${key.accountId}:${name}`,
      });
    }
  }
}
