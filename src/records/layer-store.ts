import type { DatabaseSync } from 'node:sqlite';
import {
  GroupSyncedDatabase,
  inTransaction,
  type OnDamaged,
  parseBody,
  readPage,
} from '../database/mod.ts';
import type { PolicyRecord } from './records.ts';

/** A version of a layer: an archive that is unpacked under /opt. Immutable. */
export interface LayerVersionRecord {
  readonly accountId: string;
  readonly name: string;
  readonly version: number;
  readonly description: string;
  /** The archive's name in the `CodeArchive`. */
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly unzippedBytes: number;
  readonly compatibleRuntimes: readonly string[];
  readonly compatibleArchitectures: readonly string[];
  readonly licenseInfo?: string;
  readonly createdMs: number;
}

export interface LayerKey {
  readonly accountId: string;
  readonly name: string;
}

/**
 * The durable record of layers; numbers are never given twice, also after deletions. A list that is
 * given `onDamaged` reports a record that cannot be read and skips it; without, it rejects with
 * `STORE_CORRUPT`: what keeps an archive must not miss a layer.
 */
export interface LayerStore {
  /** Gives the record the layer's next number. */
  publish(record: Omit<LayerVersionRecord, 'version'>): Promise<LayerVersionRecord>;
  read(key: LayerKey, version: number): Promise<LayerVersionRecord | undefined>;
  /** Newest first, from the first below `before`. */
  listVersions(
    key: LayerKey,
    before: number | undefined,
    limit: number,
    onDamaged?: OnDamaged,
  ): Promise<LayerVersionRecord[]>;
  /** The newest version of each layer by name, from the first after `after`. */
  list(
    accountId: string,
    after: string | undefined,
    limit: number,
    onDamaged?: OnDamaged,
  ): Promise<LayerVersionRecord[]>;
  /** Of the archives of all versions of an account's layers, each as it was sent. */
  totalBytes(accountId: string): Promise<number>;
  /** With its policy. Deleting what is not there is no error. */
  remove(key: LayerKey, version: number): Promise<void>;
  /** Who beside its account may use a version. */
  readPolicy(key: LayerKey, version: number): Promise<PolicyRecord | undefined>;
  /** Writes what `change` makes of the policy, as one transaction; nothing removes it. */
  changePolicy(
    key: LayerKey,
    version: number,
    change: (current: PolicyRecord | undefined) => PolicyRecord | undefined,
  ): Promise<void>;
  close(): Promise<void>;
}

const migrations: readonly string[] = [
  `
  CREATE TABLE layers (
    account_id TEXT NOT NULL,
    name TEXT NOT NULL,
    next_version INTEGER NOT NULL,
    PRIMARY KEY (account_id, name)
  ) STRICT;
  CREATE TABLE layer_versions (
    account_id TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (account_id, name, version)
  ) STRICT;
  `,
  `
  CREATE TABLE layer_policies (
    account_id TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (account_id, name, version)
  ) STRICT;
  `,
];

const nameOfLayer = (row: Record<string, unknown>) =>
  `${row['account_id']}/layer:${row['name']}:${row['version']}`;

/** The embedded layer store; `:memory:` for tests. */
export class SqliteLayerStore implements LayerStore {
  readonly #file: GroupSyncedDatabase;
  readonly #database: DatabaseSync;

  private constructor(file: GroupSyncedDatabase) {
    this.#file = file;
    this.#database = file.database;
  }

  static open(path: string): SqliteLayerStore {
    return new SqliteLayerStore(GroupSyncedDatabase.open(path, migrations));
  }

  async publish(record: Omit<LayerVersionRecord, 'version'>): Promise<LayerVersionRecord> {
    const { accountId, name } = record;
    return await this.#write(() => {
      const row = this.#database
        .prepare(
          `INSERT INTO layers VALUES (?, ?, 2)
           ON CONFLICT (account_id, name) DO UPDATE SET next_version = next_version + 1
           RETURNING next_version - 1 AS version`,
        )
        .get(accountId, name);
      const published = { ...record, version: Number(row?.['version']) };
      this.#database
        .prepare('INSERT INTO layer_versions VALUES (?, ?, ?, ?)')
        .run(accountId, name, published.version, JSON.stringify(published));
      return published;
    });
  }

  async read(key: LayerKey, version: number): Promise<LayerVersionRecord | undefined> {
    const row = this.#database
      .prepare('SELECT * FROM layer_versions WHERE account_id = ? AND name = ? AND version = ?')
      .get(key.accountId, key.name, version);
    return row && parseBody<LayerVersionRecord>(row['body'], nameOfLayer(row));
  }

  async listVersions(
    key: LayerKey,
    before: number | undefined,
    limit: number,
    onDamaged?: OnDamaged,
  ): Promise<LayerVersionRecord[]> {
    return this.#versions(key, before, limit, onDamaged);
  }

  async list(
    accountId: string,
    after: string | undefined,
    limit: number,
    onDamaged?: OnDamaged,
  ): Promise<LayerVersionRecord[]> {
    const select = this.#database.prepare(
      'SELECT DISTINCT name FROM layer_versions WHERE account_id = ? AND name > ? ORDER BY name',
    );
    const layers: LayerVersionRecord[] = [];
    for (const row of select.iterate(accountId, after ?? '')) {
      if (layers.length === limit) break;
      const key = { accountId, name: String(row['name']) };
      layers.push(...this.#versions(key, undefined, 1, onDamaged));
    }
    return layers;
  }

  async totalBytes(accountId: string): Promise<number> {
    const row = this.#database
      .prepare(
        `SELECT total(iif(json_valid(body), json_extract(body, '$.sizeBytes'), 0)) AS bytes
         FROM layer_versions WHERE account_id = ?`,
      )
      .get(accountId);
    return Number(row?.['bytes'] ?? 0);
  }

  async remove(key: LayerKey, version: number): Promise<void> {
    await this.#write(() => {
      for (const table of ['layer_versions', 'layer_policies']) this.#delete(table, key, version);
    });
  }

  async readPolicy(key: LayerKey, version: number): Promise<PolicyRecord | undefined> {
    return this.#policy(key, version);
  }

  async changePolicy(
    key: LayerKey,
    version: number,
    change: (current: PolicyRecord | undefined) => PolicyRecord | undefined,
  ): Promise<void> {
    await this.#write(() => {
      const policy = change(this.#policy(key, version));
      if (!policy) return this.#delete('layer_policies', key, version);
      this.#database
        .prepare('INSERT OR REPLACE INTO layer_policies VALUES (?, ?, ?, ?)')
        .run(key.accountId, key.name, version, JSON.stringify(policy));
    });
  }

  /** One transaction, on disk when it resolves. */
  async #write<T>(work: () => T): Promise<T> {
    const result = inTransaction(this.#database, work);
    await this.#file.synced();
    return result;
  }

  #versions(
    { accountId, name }: LayerKey,
    before: number | undefined,
    limit: number,
    onDamaged: OnDamaged | undefined,
  ): LayerVersionRecord[] {
    const select = this.#database.prepare(
      `SELECT * FROM layer_versions WHERE account_id = ? AND name = ? AND version < ?
       ORDER BY version DESC LIMIT ?`,
    );
    return readPage(limit, onDamaged, {
      after: before ?? Number.MAX_SAFE_INTEGER,
      rowsAfter: (version, count) => select.all(accountId, name, version, count),
      positionOf: (row) => Number(row['version']),
      nameOf: nameOfLayer,
    });
  }

  #policy({ accountId, name }: LayerKey, version: number): PolicyRecord | undefined {
    const row = this.#database
      .prepare('SELECT body FROM layer_policies WHERE account_id = ? AND name = ? AND version = ?')
      .get(accountId, name, version);
    return (
      row && parseBody<PolicyRecord>(row['body'], `${accountId}/layer:${name}:${version} policy`)
    );
  }

  #delete(table: string, { accountId, name }: LayerKey, version: number): void {
    this.#database
      .prepare(`DELETE FROM ${table} WHERE account_id = ? AND name = ? AND version = ?`)
      .run(accountId, name, version);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
