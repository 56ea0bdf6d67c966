import type { DatabaseSync } from 'node:sqlite';
import { type OnDamaged, readRows } from '../database/mod.ts';
import { FailureShares } from './failure-shares.ts';
import type { FailedEvent } from './types.ts';

/** The table of failed events; synchronous, a part of its caller's transaction. */
export class SqliteFailures {
  readonly #database: DatabaseSync;
  readonly #shares: FailureShares;

  constructor(database: DatabaseSync, most: number) {
    this.#database = database;
    this.#shares = new FailureShares(most);
    this.reload();
  }

  /** What is in memory follows the table again: at the start, and when a transaction was undone. */
  reload(): void {
    const rows = this.#database
      .prepare('SELECT account_id, count(*) AS failures FROM failures GROUP BY account_id')
      .all();
    this.#shares.reset(rows.map((row) => [String(row['account_id']), Number(row['failures'])]));
  }

  add(failure: FailedEvent): void {
    this.#database
      .prepare('INSERT INTO failures (account_id, body) VALUES (?, ?)')
      .run(failure.accountId, JSON.stringify(failure));
    const fullest = this.#shares.add(failure.accountId);
    if (fullest === undefined) return;
    this.#database
      .prepare(
        `DELETE FROM failures
         WHERE failure_id = (SELECT min(failure_id) FROM failures WHERE account_id = ?)`,
      )
      .run(fullest);
  }

  /** Newest first. */
  list(accountId: string, limit: number, onDamaged: OnDamaged): FailedEvent[] {
    const rows = this.#database
      .prepare('SELECT * FROM failures WHERE account_id = ? ORDER BY failure_id DESC LIMIT ?')
      .all(accountId, limit);
    return readRows(rows, (row) => `${accountId}/failed event ${row['failure_id']}`, onDamaged);
  }
}
