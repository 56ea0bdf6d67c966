import assert from 'node:assert/strict';
import { readlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { isSluiceError, systemClock } from '../base/mod.ts';
import { GroupSyncedDatabase, inTransaction, openDatabase, parseBody } from './mod.ts';

const first = 'CREATE TABLE a (n INTEGER)';
const second = 'CREATE TABLE b (n INTEGER); INSERT INTO a VALUES (7)';
const pathOf = (t: TestContext) => join(temporaryDirectory(t, 'database'), 'a.sqlite');
const corrupt = (error: unknown) => isSluiceError(error, 'STORE_CORRUPT');

function openFor(t: TestContext, path: string, migrations: readonly string[] = [first]) {
  const database = openDatabase(path, migrations);
  t.after(() => database.isOpen && database.close());
  return database;
}

/** SQLite's own word for it: 2 is FULL, which syncs the log at each commit. */
test('a database syncs each commit to disk', (t) => {
  const database = openFor(t, pathOf(t));
  const pragma = (name: string) => Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
  assert.equal(pragma('synchronous'), 2);
  assert.equal(pragma('journal_mode'), 'wal');
  assert.ok(Number(pragma('busy_timeout')) >= 1000, 'another process’s commit is waited for');
});

test('a database takes the steps that it lacks, each once', (t) => {
  const path = pathOf(t);
  openFor(t, path).close();
  const database = openFor(t, path, [first, second]);
  openFor(t, path, [first, second]);
  assert.equal(database.prepare('SELECT count(*) AS n FROM a').get()?.['n'], 1);
});

test('a failed step leaves the database unchanged', (t) => {
  const path = pathOf(t);
  openFor(t, path).close();
  assert.throws(() => openFor(t, path, [first, second, 'CREATE nonsense']), corrupt);
  const database = openFor(t, path);
  assert.equal(database.prepare('SELECT count(*) AS n FROM a').get()?.['n'], 0);
});

test('a newer schema and a file that is no database are refused', (t) => {
  const path = pathOf(t);
  openFor(t, path, [first, second]).close();
  assert.throws(() => openFor(t, path), corrupt);
  const garbage = pathOf(t);
  writeFileSync(garbage, 'not a database, but long enough to look like one '.repeat(50));
  assert.throws(() => openFor(t, garbage), corrupt);
});

test('a transaction holds the write lock from its start, and undoes all when it throws', (t) => {
  const path = pathOf(t);
  const database = openFor(t, path);
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
  for (const body of ['{', '7', 'null', 7, null, undefined])
    assert.throws(() => parseBody(body, 'x'), corrupt);
});

describe('a database whose log is synced by another thread', () => {
  /** Holds each sync of the log until it is let go. */
  async function rig(t: TestContext) {
    const path = pathOf(t);
    const file = GroupSyncedDatabase.open(path, [first]);
    const probe = await open('/');
    const handles = Object.getPrototypeOf(probe) as { datasync(): Promise<void> };
    await probe.close();
    const original = handles.datasync;
    const held: (() => void)[] = [];
    let syncs = 0;
    t.mock.method(handles, 'datasync', async function (this: { fd: number }) {
      assert.equal(readlinkSync(`/proc/self/fd/${this.fd}`), `${path}-wal`);
      await new Promise<void>((resolve) => held.push(resolve));
      syncs++;
      await original.call(this as never);
    });
    const turns = async (count = 20) => {
      for (let i = 0; i < count; i++) await systemClock.sleep(1);
    };
    const insert = () => file.database.exec('INSERT INTO a VALUES (1)');
    return { file, held, turns, insert, synced: () => syncs };
  }

  test('answers when its own commit is on disk, many with one sync', async (t) => {
    const { file, held, turns, insert, synced } = await rig(t);
    const answered: string[] = [];
    const write = (name: string) => {
      insert();
      return file.synced().then(() => answered.push(name));
    };
    const one = write('one');
    while (held.length === 0) await turns(1);
    const later = [write('two'), write('three'), write('four')];
    await turns();
    assert.deepEqual(
      [answered, held.length],
      [[], 1],
      'nothing is answered while nothing is synced',
    );
    held.shift()?.();
    await one;
    assert.deepEqual(answered, ['one'], 'the first sync may have begun before the others’ commits');
    while (held.length === 0) await turns(1);
    held.shift()?.();
    await Promise.all(later);
    assert.equal(synced(), 2);
    await file.close();
  });

  test('closes when all that wait have been answered', async (t) => {
    const { file, held, turns, insert } = await rig(t);
    insert();
    const waiting = file.synced();
    const closing = file.close();
    while (held.length === 0) await turns(1);
    held.shift()?.();
    await Promise.all([waiting, closing]);
    await file.close();
  });

  test('fails all that wait for a failed sync', async (t) => {
    const { file, held, turns, insert } = await rig(t);
    t.mock.restoreAll();
    const probe = await open('/');
    const handles = Object.getPrototypeOf(probe) as { datasync(): Promise<void> };
    await probe.close();
    t.mock.method(handles, 'datasync', () => Promise.reject(new Error('EIO')));
    insert();
    const unavailable = (error: unknown) => isSluiceError(error, 'STORE_UNAVAILABLE');
    await assert.rejects(file.synced(), unavailable);
    assert.equal(held.length, 0);
    t.mock.restoreAll();
    await file.synced();
    await file.close();
    await turns(1);
  });

  test('keeps nothing in memory, and answers at once', async () => {
    const file = GroupSyncedDatabase.open(':memory:', [first]);
    await file.synced();
    await file.close();
  });
});

test('every error of a database names its file', (t) => {
  const path = pathOf(t);
  const database = openFor(t, path);
  const insert = database.prepare('INSERT INTO a VALUES (?)');
  const pages = 100;
  for (let i = 0; i < 1000; i++) insert.run(i);
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  const named = (error: unknown) => corrupt(error) && String(error).includes(`${path}: `);
  assert.throws(() => database.exec('nonsense'), named);
  assert.throws(() => database.prepare('nonsense'), named);
  writeFileSync(path, Buffer.alloc(pages * 4096, 7), { flag: 'r+' });
  const other = new DatabaseSync(path);
  t.after(() => other.close());
  assert.throws(() => openFor(t, path), named);
  assert.throws(() => {
    database.exec('PRAGMA cache_size = 0; PRAGMA shrink_memory');
    database.prepare('SELECT * FROM a').all();
  }, named);
});

test('a broken constraint keeps its own error', (t) => {
  const database = openFor(t, pathOf(t), ['CREATE TABLE a (n INTEGER PRIMARY KEY)']);
  const insert = database.prepare('INSERT INTO a VALUES (1)');
  insert.run();
  assert.throws(() => insert.run(), { code: 'ERR_SQLITE_ERROR' });
});
