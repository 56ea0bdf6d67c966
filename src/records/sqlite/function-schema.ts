/**
 * The schema of the function store, as the steps that lead to it. Bodies are the JSON of the
 * records; columns beside them are what queries need. A released step never changes.
 */
export const functionMigrations: readonly string[] = [
  `
  CREATE TABLE functions (
    account_id TEXT NOT NULL,
    name TEXT NOT NULL,
    unfinished INTEGER NOT NULL,
    provisioned INTEGER NOT NULL,
    code_size_bytes INTEGER NOT NULL,
    reserved_concurrency INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (account_id, name)
  ) STRICT;
  CREATE INDEX functions_unfinished ON functions (unfinished) WHERE unfinished = 1;
  CREATE INDEX functions_provisioned ON functions (provisioned) WHERE provisioned = 1;
  CREATE INDEX functions_totals ON functions (account_id, code_size_bytes, reserved_concurrency);
  CREATE TABLE versions (
    account_id TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    code_size_bytes INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (account_id, name, version)
  ) STRICT;
  CREATE INDEX versions_totals ON versions (account_id, code_size_bytes);
  CREATE TABLE function_urls (
    url_id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL,
    name TEXT NOT NULL,
    qualifier TEXT NOT NULL
  ) STRICT;
  CREATE INDEX function_urls_function ON function_urls (account_id, name);
  `,
];
