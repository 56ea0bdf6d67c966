import assert from 'node:assert/strict';
import { readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { limits, noLogger } from '../base/mod.ts';
import type { AccessLog, AccessRun } from '../device/mod.ts';
import { AccessLogBook } from './access-log-book.ts';

const PAGES_PER_CHUNK = 128;
/** A start that reads one page of each of these chunks, a millisecond apart. */
const start = (...chunks: number[]): AccessLog => ({
  manifestId: 'm',
  runs: chunks.map((chunk, index): AccessRun => [chunk * PAGES_PER_CHUNK, 1, index]),
});
const pagesOf = (log: AccessLog | undefined) => log?.runs.map(([page]) => page / PAGES_PER_CHUNK);

test('the first starts are merged; later ones that they predict change nothing', async (t) => {
  const book = new AccessLogBook(temporaryDirectory(t), noLogger);
  assert.equal(await book.logOf('m'), undefined);
  const common = [1, 2, 3, 4, 5, 6, 7];
  await book.started(start(...common, 10));
  assert.deepEqual(pagesOf(await book.logOf('m')), [...common, 10]);
  await book.started(start(...common, 11));
  assert.equal((await book.started(start(...common, 12))).isChanged, true);
  const merged = pagesOf(await book.logOf('m'));
  assert.deepEqual(merged, common, 'what only one of three read is no habit');
  assert.equal((await book.started(start(...common))).isChanged, false);
  assert.deepEqual(pagesOf(await book.logOf('m')), merged);
});

test('a start that the log did not predict begins a new record', async (t) => {
  const book = new AccessLogBook(temporaryDirectory(t), noLogger);
  await book.started(start(1, 2, 3));
  await book.started(start(7, 8, 9));
  assert.deepEqual(pagesOf(await book.logOf('m')), [7, 8, 9]);
});

test('a log survives a restart; a damaged one counts as absent', async (t) => {
  const directory = temporaryDirectory(t);
  await new AccessLogBook(directory, noLogger).started(start(1, 2));
  assert.deepEqual(pagesOf(await new AccessLogBook(directory, noLogger).logOf('m')), [1, 2]);
  writeFileSync(join(directory, 'm.json'), '{"version":1,');
  const book = new AccessLogBook(directory, noLogger);
  assert.equal(await book.logOf('m'), undefined);
  await book.started(start(4));
  assert.deepEqual(pagesOf(await book.logOf('m')), [4]);
});

test('logs of versions that are long gone do not pile up on the disk', async (t) => {
  const directory = temporaryDirectory(t);
  const { accessLogsOnDisk } = limits.device;
  for (let i = 0; i < accessLogsOnDisk + 5; i++) {
    const path = join(directory, `old-${i}.json`);
    writeFileSync(path, '');
    if (i < 5) utimesSync(path, 1000, 1000);
  }
  writeFileSync(join(directory, 'killed.json.1-1.new'), '');
  utimesSync(join(directory, 'killed.json.1-1.new'), 1000, 1000);
  await new AccessLogBook(directory, noLogger).started(start(1, 2));
  const names = new Set(readdirSync(directory));
  assert.equal(names.size, accessLogsOnDisk);
  assert.ok(names.has('m.json'));
  assert.equal(
    [0, 1, 2, 3, 4].some((i) => names.has(`old-${i}.json`)),
    false,
  );
  assert.equal(names.has('killed.json.1-1.new'), false);
});

test('starts that end together leave whole logs and no temporary file', async (t) => {
  const directory = temporaryDirectory(t);
  const books = Array.from({ length: 8 }, () => new AccessLogBook(directory, noLogger));
  await Promise.all(
    books.map((book, i) =>
      book.started(start(...Array.from({ length: 500 * (i + 1) }, (_, k) => k))),
    ),
  );
  assert.deepEqual(readdirSync(directory), ['m.json']);
  assert.ok(await new AccessLogBook(directory, noLogger).logOf('m'));
});
