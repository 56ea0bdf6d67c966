import type { DatabaseSync, StatementSync } from 'node:sqlite';

const sources = {
  read: 'SELECT body FROM functions WHERE account_id = ? AND name = ?',
  list: 'SELECT name, body FROM functions WHERE account_id = ? AND name > ? ORDER BY name LIMIT ?',
  accounts: 'SELECT DISTINCT account_id FROM functions ORDER BY account_id',
  unfinished:
    'SELECT account_id, name, body FROM functions WHERE unfinished = 1 ORDER BY account_id, name',
  provisioned:
    'SELECT account_id, name, body FROM functions WHERE provisioned = 1 ORDER BY account_id, name',
  putFunction: `INSERT INTO functions VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (account_id, name) DO UPDATE SET unfinished = excluded.unfinished,
      provisioned = excluded.provisioned, code_size_bytes = excluded.code_size_bytes,
      reserved_concurrency = excluded.reserved_concurrency, body = excluded.body`,
  removeFunction: 'DELETE FROM functions WHERE account_id = ? AND name = ?',
  readVersion: 'SELECT body FROM versions WHERE account_id = ? AND name = ? AND version = ?',
  listVersions: `SELECT version, body FROM versions WHERE account_id = ? AND name = ? AND version > ?
    ORDER BY version LIMIT ?`,
  putVersion: `INSERT INTO versions VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (account_id, name, version) DO UPDATE SET
      code_size_bytes = excluded.code_size_bytes, body = excluded.body`,
  removeVersion: 'DELETE FROM versions WHERE account_id = ? AND name = ? AND version = ?',
  removeVersions: 'DELETE FROM versions WHERE account_id = ? AND name = ?',
  findUrl: 'SELECT account_id, name, qualifier FROM function_urls WHERE url_id = ?',
  putUrl: 'INSERT INTO function_urls VALUES (?, ?, ?, ?)',
  removeUrls: 'DELETE FROM function_urls WHERE account_id = ? AND name = ?',
  totals: `SELECT count(*) AS functions,
      coalesce(sum(reserved_concurrency), 0) AS reserved_concurrency,
      coalesce(sum(code_size_bytes), 0) + (
        SELECT coalesce(sum(code_size_bytes), 0) FROM versions WHERE account_id = ?
      ) AS code_size_bytes
    FROM functions WHERE account_id = ?`,
} as const;

export type Statements = Readonly<Record<keyof typeof sources, StatementSync>>;

/** Every statement of the function store, prepared once. */
export function prepareStatements(database: DatabaseSync): Statements {
  const prepared = Object.entries(sources).map(([name, sql]) => [name, database.prepare(sql)]);
  return Object.fromEntries(prepared) as Statements;
}
