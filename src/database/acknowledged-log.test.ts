import assert from 'node:assert/strict';
import {
  copyFileSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { isSluiceError } from '../base/mod.ts';
import { FRAME_HEADER_BYTES, frameOffset, LOG_HEADER_BYTES } from './log-format.ts';
import { GroupSyncedDatabase, inTransaction, openDatabase } from './mod.ts';

const schema = ['CREATE TABLE a (n INTEGER)'];
const COMMITS = 20;
/** In seconds since 1970. */
const LONG_AGO = 1e9;

/** A database with twenty acknowledged commits as `kill -9` leaves it: its log is all that has them. */
async function killed(t: TestContext, how: 'synced' | 'grouped') {
  const folder = temporaryDirectory(t, 'log');
  const live = join(folder, 'live');
  const path = join(folder, 'killed.sqlite');
  const insert = 'INSERT INTO a VALUES (1)';
  if (how === 'synced') {
    const database = openDatabase(live, schema);
    utimesSync(live, LONG_AGO, LONG_AGO);
    for (let i = 0; i < COMMITS; i++) inTransaction(database, () => database.exec(insert));
    leave(live, path);
    database.close();
  } else {
    const file = GroupSyncedDatabase.open(live, schema);
    utimesSync(live, LONG_AGO, LONG_AGO);
    for (let i = 0; i < COMMITS; i++) {
      file.database.exec(insert);
      await file.synced();
    }
    leave(live, path);
    await file.close();
  }
  return path;
}

function leave(live: string, path: string): void {
  for (const part of ['', '-wal', '-synced']) copyFileSync(`${live}${part}`, `${path}${part}`);
  utimesSync(path, LONG_AGO, LONG_AGO);
}

function count(path: string): unknown {
  const database = openDatabase(path, schema);
  try {
    return database.prepare('SELECT count(*) AS n FROM a').get()?.['n'];
  } finally {
    database.close();
  }
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= 0x10;
  writeFileSync(path, bytes);
}

/** SQLite's own answer: fewer rows, and not a word. */
function plainCount(path: string): number {
  const database = new DatabaseSync(path);
  try {
    return Number(database.prepare('SELECT count(*) AS n FROM a').get()?.['n']);
  } catch (error) {
    assert.match(String(error), /no such table/);
    return 0;
  } finally {
    database.close();
  }
}

const middle = frameOffset(10, 4096);
const damages: Readonly<Record<string, (log: string) => void>> = {
  'a byte of a page': (log) => flip(log, middle + FRAME_HEADER_BYTES + 4000),
  'a byte of a frame’s header': (log) => flip(log, middle + 9),
  'a byte of its checksum': (log) => flip(log, middle + 17),
  'a byte of the last frame': (log) => flip(log, readFileSync(log).length - 10),
  'a byte of the log’s header': (log) => flip(log, 17),
  'its second half': (log) => truncateSync(log, middle + 100),
  'all but its header': (log) => truncateSync(log, LOG_HEADER_BYTES),
  'all of it': (log) => truncateSync(log, 0),
  'the file': (log) => rmSync(log),
};

for (const how of ['synced', 'grouped'] as const) {
  describe(`acknowledged commits, ${how}, that a damaged log would lose are said by name`, () => {
    for (const [lost, damage] of Object.entries(damages)) {
      test(lost, async (t) => {
        const path = await killed(t, how);
        const log = `${path}-wal`;
        damage(log);
        const named = (error: unknown) =>
          isSluiceError(error, 'STORE_CORRUPT') && error.message.startsWith(`${log}: `);
        assert.throws(() => openDatabase(path, schema), named);
        assert.throws(() => openDatabase(path, schema), named, 'nothing was mended in silence');
        rmSync(`${path}-synced`);
        assert.ok(plainCount(path) < COMMITS, 'the damage had its effect');
      });
    }
  });
}

test('a log that was killed holds what was acknowledged, and a second look finds the same', async (t) => {
  for (const how of ['synced', 'grouped'] as const) {
    const path = await killed(t, how);
    assert.equal(count(path), COMMITS);
    assert.equal(count(path), COMMITS);
  }
});

test('a commit that a crash cut off is no damage', async (t) => {
  for (const lengths of [[1000], [4120], [4120, 4120]]) {
    const path = await killed(t, 'synced');
    const bytes = readFileSync(`${path}-wal`);
    const rest = lengths.map((length) => bytes.subarray(-4120).subarray(0, length));
    writeFileSync(`${path}-wal`, Buffer.concat([bytes, ...rest]));
    assert.equal(count(path), COMMITS);
  }
});

test('a log that its last user took in and removed, or another began anew, is no damage', async (t) => {
  const path = await killed(t, 'synced');
  openDatabase(path, schema).close();
  assert.equal(count(path), COMMITS, 'closed: the log is gone');
  const ended = await killed(t, 'synced');
  new DatabaseSync(ended).exec('SELECT * FROM a; PRAGMA wal_checkpoint(TRUNCATE)');
  assert.equal(count(ended), COMMITS, 'taken in by another: the log is empty');
  const other = await killed(t, 'synced');
  const plain = new DatabaseSync(other);
  plain.exec('PRAGMA wal_checkpoint(RESTART); INSERT INTO a VALUES (1)');
  plain.exec(`VACUUM INTO '${other}.copy'`);
  const kept = readFileSync(`${other}-wal`);
  plain.close();
  copyFileSync(`${other}.copy`, other);
  writeFileSync(`${other}-wal`, kept);
  assert.equal(count(other), COMMITS + 1, 'restarted: other salts');
});

test('a mark that a loss of power left half written is none', async (t) => {
  const path = await killed(t, 'synced');
  for (const text of ['', '{"version":1,"sal']) {
    writeFileSync(`${path}-synced`, text);
    assert.equal(count(path), COMMITS);
  }
});
