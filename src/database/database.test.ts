import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { isSluiceError } from '../base/mod.ts';
import { inTransaction, openDatabase, parseBody } from './mod.ts';

const first = 'CREATE TABLE a (n INTEGER)';
const second = 'CREATE TABLE b (n INTEGER); INSERT INTO a VALUES (7)';
const pathOf = (t: TestContext) => join(temporaryDirectory(t, 'database'), 'a.sqlite');
const corrupt = (error: unknown) => isSluiceError(error, 'STORE_CORRUPT');

function open(t: TestContext, path: string, migrations: readonly string[] = [first]) {
  const database = openDatabase(path, migrations);
  t.after(() => database.isOpen && database.close());
  return database;
}

/** SQLite's own word for it: 2 is FULL, which syncs the log at each commit. */
test('a database syncs each commit to disk', (t) => {
  const database = open(t, pathOf(t));
  const pragma = (name: string) => Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
  assert.equal(pragma('synchronous'), 2);
  assert.equal(pragma('journal_mode'), 'wal');
  assert.ok(Number(pragma('busy_timeout')) >= 1000, 'another process’s commit is waited for');
});

test('a database takes the steps that it lacks, each once', (t) => {
  const path = pathOf(t);
  open(t, path).close();
  const database = open(t, path, [first, second]);
  open(t, path, [first, second]);
  assert.equal(database.prepare('SELECT count(*) AS n FROM a').get()?.['n'], 1);
});

test('a step that fails leaves the database as it was', (t) => {
  const path = pathOf(t);
  open(t, path).close();
  assert.throws(() => open(t, path, [first, second, 'CREATE nonsense']), corrupt);
  const database = open(t, path);
  assert.equal(database.prepare('SELECT count(*) AS n FROM a').get()?.['n'], 0);
});

test('a newer schema and a file that is no database are refused', (t) => {
  const path = pathOf(t);
  open(t, path, [first, second]).close();
  assert.throws(() => open(t, path), corrupt);
  const garbage = pathOf(t);
  writeFileSync(garbage, 'not a database, but long enough to look like one '.repeat(50));
  assert.throws(() => open(t, garbage), corrupt);
});

test('a transaction holds the write lock from its start, and undoes all when it throws', (t) => {
  const path = pathOf(t);
  const database = open(t, path);
  const insert = () => database.exec('INSERT INTO a VALUES (1)');
  const count = () => database.prepare('SELECT count(*) AS n FROM a').get()?.['n'];
  const other = new DatabaseSync(path, { timeout: 0 });
  t.after(() => other.close());
  const answer = inTransaction(database, () => {
    assert.throws(() => other.exec('BEGIN IMMEDIATE'), /locked/);
    insert();
    return 'done';
  });
  assert.deepEqual([answer, count()], ['done', 1]);
  const failing = () =>
    inTransaction(database, () => {
      insert();
      throw new RangeError('no');
    });
  assert.throws(failing, RangeError);
  assert.deepEqual([count(), database.isTransaction], [1, false]);
});

test('a stored body that is not JSON is a damaged store', () => {
  assert.deepEqual(parseBody('{"a":1}', 'x'), { a: 1 });
  for (const body of ['{', 7, null, undefined]) assert.throws(() => parseBody(body, 'x'), corrupt);
});
