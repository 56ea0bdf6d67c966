import type { DatabaseSync } from 'node:sqlite';
import { SluiceError } from '../../base/mod.ts';
import {
  GroupSyncedDatabase,
  inTransaction,
  type OnDamaged,
  parseBody,
  readPage,
  readRows,
} from '../../database/mod.ts';
import type { FunctionRecord, VersionRecord } from '../records.ts';
import type {
  AccountTotals,
  FunctionChange,
  FunctionKey,
  FunctionStore,
  UrlTarget,
} from '../store.ts';
import { concurrencySetAside } from '../transitions.ts';
import { functionMigrations } from './function-schema.ts';
import { prepareStatements, type Statements } from './function-statements.ts';

const nameOfFunction = (row: Record<string, unknown>) => `${row['account_id']}/${row['name']}`;

/** The embedded store: one SQLite file in the data directory, for the one process that serves. */
export class SqliteFunctionStore implements FunctionStore {
  readonly #file: GroupSyncedDatabase;
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  readonly #listeners = new Set<(key: FunctionKey) => void>();

  private constructor(file: GroupSyncedDatabase) {
    this.#file = file;
    this.#database = file.database;
    this.#statements = prepareStatements(file.database);
  }

  /** `path` is created when absent; `:memory:` keeps nothing. */
  static open(path: string): SqliteFunctionStore {
    return new SqliteFunctionStore(GroupSyncedDatabase.open(path, functionMigrations));
  }

  async insert(record: FunctionRecord, versions: readonly VersionRecord[] = []): Promise<void> {
    inTransaction(this.#database, () => {
      if (this.#statements.read.get(record.accountId, record.name)) {
        throw new SluiceError('FUNCTION_EXISTS', `${record.name}: a function of this name exists`);
      }
      this.#write({ function: record, putVersions: versions });
    });
    this.#announce(record);
    await this.#file.synced();
  }

  async read(key: FunctionKey): Promise<FunctionRecord | undefined> {
    return this.#read(key);
  }

  async change(
    key: FunctionKey,
    change: (current: FunctionRecord, totals: AccountTotals) => FunctionChange,
  ): Promise<FunctionRecord> {
    const written = inTransaction(this.#database, () => {
      const current = this.#read(key);
      if (!current) {
        throw new SluiceError('FUNCTION_NOT_FOUND', `${key.name}: no such function`);
      }
      const outcome = change(current, this.#totals(key.accountId));
      this.#write(outcome);
      return outcome.function;
    });
    this.#announce(key);
    await this.#file.synced();
    return written;
  }

  async remove(key: FunctionKey): Promise<boolean> {
    const { removeFunction, removeVersions, removeUrls } = this.#statements;
    const removed = inTransaction(this.#database, () => {
      removeUrls.run(key.accountId, key.name);
      removeVersions.run(key.accountId, key.name);
      return removeFunction.run(key.accountId, key.name).changes > 0;
    });
    if (removed) this.#announce(key);
    await this.#file.synced();
    return removed;
  }

  async list(
    accountId: string,
    after: string | undefined,
    limit: number,
    onDamaged?: OnDamaged,
  ): Promise<FunctionRecord[]> {
    return readPage(limit, onDamaged, {
      after: after ?? '',
      rowsAfter: (name, count) => this.#statements.list.all(accountId, name, count),
      positionOf: (row) => String(row['name']),
      nameOf: (row) => `${accountId}/${row['name']}`,
    });
  }

  async readVersion(key: FunctionKey, version: number): Promise<VersionRecord | undefined> {
    const row = this.#statements.readVersion.get(key.accountId, key.name, version);
    return row && parseBody<VersionRecord>(row['body'], `${key.name}:${version}`);
  }

  async listVersions(
    { accountId, name }: FunctionKey,
    after: number,
    limit: number,
    onDamaged?: OnDamaged,
  ): Promise<VersionRecord[]> {
    return readPage(limit, onDamaged, {
      after,
      rowsAfter: (version, count) =>
        this.#statements.listVersions.all(accountId, name, version, count),
      positionOf: (row) => Number(row['version']),
      nameOf: (row) => `${accountId}/${name}:${row['version']}`,
    });
  }

  async totals(accountId: string): Promise<AccountTotals> {
    return this.#totals(accountId);
  }

  async findUrl(urlId: string): Promise<UrlTarget | undefined> {
    const row = this.#statements.findUrl.get(urlId);
    return (
      row && {
        accountId: String(row['account_id']),
        name: String(row['name']),
        qualifier: String(row['qualifier']),
      }
    );
  }

  async provisioned(onDamaged?: OnDamaged): Promise<FunctionRecord[]> {
    return readRows(this.#statements.provisioned.all(), nameOfFunction, onDamaged);
  }

  async accounts(): Promise<string[]> {
    return this.#statements.accounts.all().map((row) => String(row['account_id']));
  }

  async unfinished(onDamaged?: OnDamaged): Promise<FunctionRecord[]> {
    return readRows(this.#statements.unfinished.all(), nameOfFunction, onDamaged);
  }

  watch(listener: (key: FunctionKey) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    await this.#file.close();
  }

  #read(key: FunctionKey): FunctionRecord | undefined {
    const row = this.#statements.read.get(key.accountId, key.name);
    return row && parseBody<FunctionRecord>(row['body'], key.name);
  }

  #totals(accountId: string): AccountTotals {
    const row = this.#statements.totals.get(accountId, accountId);
    return {
      functions: Number(row?.['functions']),
      codeSizeBytes: Number(row?.['code_size_bytes']),
      reservedConcurrency: Number(row?.['reserved_concurrency']),
    };
  }

  #write(change: FunctionChange): void {
    const { accountId, name, latest, urls, provisionedConcurrency } = change.function;
    const { putFunction, putVersion, removeVersion, removeUrls, putUrl } = this.#statements;
    const unfinished = latest.work === undefined ? 0 : 1;
    const size = latest.code?.codeSizeBytes ?? 0;
    const provisioned = Object.keys(provisionedConcurrency).length > 0 ? 1 : 0;
    const setAside = concurrencySetAside(change.function);
    const body = JSON.stringify(change.function);
    putFunction.run(accountId, name, unfinished, provisioned, size, setAside, body);
    for (const each of change.putVersions ?? []) {
      const versionSize = each.code?.codeSizeBytes ?? 0;
      putVersion.run(accountId, name, each.version, versionSize, JSON.stringify(each));
    }
    if (change.removeVersion !== undefined)
      removeVersion.run(accountId, name, change.removeVersion);
    removeUrls.run(accountId, name);
    for (const [qualifier, url] of Object.entries(urls)) {
      putUrl.run(url.urlId, accountId, name, qualifier);
    }
  }

  #announce(key: FunctionKey): void {
    for (const listener of this.#listeners) listener({ accountId: key.accountId, name: key.name });
  }
}
