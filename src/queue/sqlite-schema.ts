/**
 * The schema of the event queue, as the steps that lead to it: step n takes version n to n+1. A
 * released step never changes.
 */
export const eventQueueMigrations: readonly string[] = [
  `
  CREATE TABLE events (
    event_id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue INTEGER NOT NULL,
    visible_at_ms INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    account_id TEXT NOT NULL,
    function_name TEXT NOT NULL,
    qualifier TEXT,
    request_id TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    payload BLOB NOT NULL,
    invokes INTEGER NOT NULL,
    refusals INTEGER NOT NULL,
    ending TEXT
  ) STRICT;
  CREATE INDEX events_of_queue ON events (queue, visible_at_ms);
  CREATE INDEX events_due ON events (visible_at_ms);
  CREATE TABLE failures (
    failure_id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id TEXT NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX failures_of_account ON failures (account_id, failure_id);
  `,
  'ALTER TABLE events ADD COLUMN tenant_id TEXT',
  `
  ALTER TABLE events ADD COLUMN last_version TEXT;
  ALTER TABLE events ADD COLUMN last_answer BLOB;
  `,
];
