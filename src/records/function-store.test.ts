import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { isSluiceError } from '../base/mod.ts';
import { openDatabase } from '../database/sqlite-database.ts';
import { functionStoreConformance } from './function-store.conformance.ts';
import { MemoryFunctionStore } from './memory/function-store.ts';
import { sampleFunction } from './samples.fixture.ts';
import { SqliteFunctionStore } from './sqlite/function-store.ts';

functionStoreConformance('memory', async () => new MemoryFunctionStore());
functionStoreConformance('sqlite', async (t) => {
  const store = SqliteFunctionStore.open(join(temporaryDirectory(t), 'functions.db'));
  t.after(() => store.close());
  return store;
});

const key = { accountId: '111111111111', name: 'f' };

test('sqlite: what was acknowledged is there after the process was killed', async (t) => {
  const path = join(temporaryDirectory(t), 'functions.db');
  const script = `
    import { SqliteFunctionStore } from ${JSON.stringify(import.meta.resolve('./mod.ts'))};
    import { sampleFunction } from ${JSON.stringify(import.meta.resolve('./samples.fixture.ts'))};
    const store = SqliteFunctionStore.open(${JSON.stringify(path)});
    await store.insert(sampleFunction(${JSON.stringify(key)}));
    process.kill(process.pid, 'SIGKILL');
  `;
  const child = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', script]);
  assert.equal(child.signal, 'SIGKILL', child.stderr.toString());
  const store = SqliteFunctionStore.open(path);
  t.after(() => store.close());
  assert.equal((await store.unfinished()).length, 1);
  assert.equal((await store.read(key))?.latest.state, 'Pending');
});

test('sqlite: a file of a newer schema is refused and left alone', (t) => {
  const path = join(temporaryDirectory(t), 'functions.db');
  openDatabase(path, ['CREATE TABLE a (b)', 'CREATE TABLE c (d)']).close();
  assert.throws(
    () => openDatabase(path, ['CREATE TABLE a (b)']),
    (error) => isSluiceError(error, 'STORE_CORRUPT') && error.data['schema'] === 2,
  );
  openDatabase(path, ['CREATE TABLE a (b)', 'CREATE TABLE c (d)', 'CREATE TABLE e (f)']).close();
});

test('sqlite: a file that is no database is refused', (t) => {
  const path = join(temporaryDirectory(t), 'functions.db');
  writeFileSync(path, 'x'.repeat(5000));
  assert.throws(
    () => SqliteFunctionStore.open(path),
    (error) => isSluiceError(error, 'STORE_CORRUPT'),
  );
});

test('sqlite: a damaged record is named as such', async (t) => {
  const path = join(temporaryDirectory(t), 'functions.db');
  const store = SqliteFunctionStore.open(path);
  t.after(() => store.close());
  await store.insert(sampleFunction(key));
  const raw = openDatabase(path, ['']);
  raw.exec("UPDATE functions SET body = '{'");
  raw.close();
  await assert.rejects(store.read(key), (error) => isSluiceError(error, 'STORE_CORRUPT'));
});
