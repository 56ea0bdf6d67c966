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
import {
  type EventSourceMappingRecord,
  type EventSourceMappingStore,
  type MappingCounts,
  type MappingFilter,
  MappingLimits,
  mappingIdentity,
} from '../event-source-mapping-store.ts';

const migrations: readonly string[] = [
  `
  CREATE TABLE event_source_mappings (
    uuid TEXT NOT NULL PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    account_id TEXT NOT NULL,
    event_source_arn TEXT NOT NULL,
    function_name TEXT NOT NULL,
    qualifier TEXT,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX event_source_mappings_account ON event_source_mappings (account_id, uuid);
  `,
];

const nameOfMapping = (row: Record<string, unknown>) =>
  `${row['account_id']}/event-source-mapping:${row['uuid']}`;

/** The embedded store of event source mappings; `:memory:` keeps nothing. */
export class SqliteEventSourceMappings implements EventSourceMappingStore {
  readonly #file: GroupSyncedDatabase;
  readonly #database: DatabaseSync;
  readonly #limits: MappingLimits;
  readonly #listeners = new Set<(uuid: string) => void>();

  private constructor(file: GroupSyncedDatabase, counts: Partial<MappingCounts>) {
    this.#file = file;
    this.#database = file.database;
    this.#limits = new MappingLimits(counts);
  }

  static open(path: string, options: Partial<MappingCounts> = {}): SqliteEventSourceMappings {
    return new SqliteEventSourceMappings(GroupSyncedDatabase.open(path, migrations), options);
  }

  async insert(record: EventSourceMappingRecord): Promise<void> {
    inTransaction(this.#database, () => {
      const counts = this.#database
        .prepare(
          `SELECT count(*) AS mappings, count(*) FILTER (WHERE account_id = ?) AS own
           FROM event_source_mappings`,
        )
        .get(record.accountId);
      const own = Number(counts?.['own']);
      this.#limits.require(record, { own, all: Number(counts?.['mappings']) });
      this.#put(record);
    });
    this.#announce(record.uuid);
    await this.#file.synced();
  }

  async read(uuid: string): Promise<EventSourceMappingRecord | undefined> {
    return this.#read(uuid);
  }

  async change(
    uuid: string,
    change: (current: EventSourceMappingRecord) => EventSourceMappingRecord | undefined,
  ): Promise<EventSourceMappingRecord | undefined> {
    const changed = inTransaction(this.#database, () => {
      const current = this.#read(uuid);
      if (!current) throw new SluiceError('MAPPING_NOT_FOUND', `${uuid}: no such mapping`);
      const next = change(current);
      if (next) this.#put(next);
      else this.#database.prepare('DELETE FROM event_source_mappings WHERE uuid = ?').run(uuid);
      return next;
    });
    this.#announce(uuid);
    await this.#file.synced();
    return changed;
  }

  async list(
    { accountId, eventSourceArn, functionName, qualifier }: MappingFilter,
    after: string | undefined,
    limit: number,
    onDamaged?: OnDamaged,
  ): Promise<EventSourceMappingRecord[]> {
    const given: readonly (readonly [string, string | undefined])[] = [
      ['account_id = ?', accountId],
      ['event_source_arn = ?', eventSourceArn],
      ['function_name = ?', functionName],
      ['qualifier = ?', qualifier],
    ];
    const asked = given.flatMap(([sql, value]) => (value === undefined ? [] : [{ sql, value }]));
    const where = asked.map(({ sql }) => `${sql} AND`).join(' ');
    const select = this.#database.prepare(
      `SELECT * FROM event_source_mappings WHERE ${where} uuid > ? ORDER BY uuid LIMIT ?`,
    );
    return readPage(limit, onDamaged, {
      after: after ?? '',
      rowsAfter: (uuid, count) => select.all(...asked.map(({ value }) => value), uuid, count),
      positionOf: (row) => String(row['uuid']),
      nameOf: nameOfMapping,
    });
  }

  async all(onDamaged?: OnDamaged): Promise<EventSourceMappingRecord[]> {
    const rows = this.#database.prepare('SELECT * FROM event_source_mappings ORDER BY uuid').all();
    return readRows(rows, nameOfMapping, onDamaged);
  }

  watch(listener: (uuid: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    await this.#file.close();
  }

  #read(uuid: string): EventSourceMappingRecord | undefined {
    const row = this.#database
      .prepare('SELECT * FROM event_source_mappings WHERE uuid = ?')
      .get(uuid);
    return row && parseBody<EventSourceMappingRecord>(row['body'], nameOfMapping(row));
  }

  #put(record: EventSourceMappingRecord): void {
    const identity = mappingIdentity(record);
    const other = this.#database
      .prepare('SELECT uuid FROM event_source_mappings WHERE identity = ? AND uuid <> ?')
      .get(identity, record.uuid);
    if (other) {
      const uuid = String(other['uuid']);
      throw new SluiceError('MAPPING_EXISTS', `${identity}: mapped already by ${uuid}`, {
        data: { uuid },
      });
    }
    const { uuid, accountId, eventSourceArn, functionName, qualifier = null } = record;
    this.#database
      .prepare(
        `INSERT INTO event_source_mappings VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (uuid) DO UPDATE SET identity = excluded.identity,
           event_source_arn = excluded.event_source_arn, function_name = excluded.function_name,
           qualifier = excluded.qualifier, body = excluded.body`,
      )
      .run(
        uuid,
        identity,
        accountId,
        eventSourceArn,
        functionName,
        qualifier,
        JSON.stringify(record),
      );
  }

  #announce(uuid: string): void {
    for (const listener of this.#listeners) listener(uuid);
  }
}
