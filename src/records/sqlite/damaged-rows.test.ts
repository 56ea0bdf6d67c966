import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import { mappingOf } from '../event-source-mapping-store.conformance.ts';
import { SqliteLayerStore } from '../layer-store.ts';
import { sampleFunction } from '../samples.fixture.ts';
import { SqliteEventSourceMappings } from './event-source-mappings.ts';
import { SqliteFunctionStore } from './function-store.ts';

const accountId = '000000000000';

async function storeWithDamage(t: TestContext) {
  const path = join(temporaryDirectory(t), 'functions.sqlite');
  const store = SqliteFunctionStore.open(path);
  t.after(() => store.close());
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    const record = sampleFunction({ accountId, name });
    await store.insert(
      record,
      [1, 2, 3].map((version) => ({ ...record.latest, version })),
    );
  }
  const database = new DatabaseSync(path);
  database.exec("UPDATE functions SET body = substr(body, 9) WHERE name IN ('b', 'c')");
  database.exec("UPDATE versions SET body = '' WHERE name = 'a' AND version = 2");
  database.close();
  const damaged: string[] = [];
  return { store, damaged, onDamaged: (record: string) => void damaged.push(record) };
}

test('one damaged record hides no other: it is named and skipped', async (t) => {
  const { store, damaged, onDamaged } = await storeWithDamage(t);
  const names = async (after: string | undefined, limit: number) =>
    (await store.list(accountId, after, limit, onDamaged)).map(({ name }) => name);
  assert.deepEqual(await names(undefined, 2), ['a', 'd'], 'a page is full while there is more');
  assert.deepEqual(await names('d', 10), ['e']);
  const versions = await store.listVersions({ accountId, name: 'a' }, 0, 10, onDamaged);
  assert.deepEqual(
    versions.map(({ version }) => version),
    [1, 3],
  );
  assert.deepEqual(
    damaged,
    ['b', 'c', 'a:2'].map((name) => `${accountId}/${name}`),
  );
});

test('one damaged layer hides no other, nor an older version of itself', async (t) => {
  const path = join(temporaryDirectory(t), 'layers.sqlite');
  const store = SqliteLayerStore.open(path);
  t.after(() => store.close());
  for (const name of ['a', 'b', 'b', 'c']) {
    await store.publish({
      ...{ accountId, name, description: '', sha256: 'x', sizeBytes: 5, unzippedBytes: 9 },
      ...{ compatibleRuntimes: [], compatibleArchitectures: [], createdMs: 1 },
    });
  }
  const database = new DatabaseSync(path);
  database.exec("UPDATE layer_versions SET body = '{' WHERE name = 'a' OR version = 2");
  database.close();
  const damaged: string[] = [];
  const onDamaged = (record: string) => void damaged.push(record);
  const listed = await store.list(accountId, undefined, 10, onDamaged);
  assert.deepEqual(
    listed.map(({ name, version }) => `${name}:${version}`),
    ['b:1', 'c:1'],
  );
  const versions = await store.listVersions({ accountId, name: 'b' }, undefined, 10, onDamaged);
  assert.equal(versions.length, 1);
  const names = ['a:1', 'b:2', 'b:2'].map((name) => `${accountId}/layer:${name}`);
  assert.deepEqual(damaged, names);
  assert.equal(await store.totalBytes(accountId), 10, 'what can be read is counted');
  await assert.rejects(store.list(accountId, undefined, 10), { code: 'STORE_CORRUPT' });
});

test('one damaged event source mapping hides no other', async (t) => {
  const path = join(temporaryDirectory(t), 'mappings.sqlite');
  const store = SqliteEventSourceMappings.open(path);
  t.after(() => store.close());
  for (const uuid of ['1', '2', '3']) await store.insert(mappingOf(Number(uuid), { uuid }));
  const database = new DatabaseSync(path);
  database.exec("UPDATE event_source_mappings SET body = '7' WHERE uuid = '2'");
  database.close();
  const damaged: string[] = [];
  const onDamaged = (record: string) => void damaged.push(record);
  const filter = { accountId: '111111111111' };
  const listed = await store.list(filter, undefined, 2, onDamaged);
  const all = await store.all(onDamaged);
  for (const records of [listed, all]) {
    assert.deepEqual(
      records.map(({ uuid }) => uuid),
      ['1', '3'],
    );
  }
  const named = `${filter.accountId}/event-source-mapping:2`;
  assert.deepEqual(damaged, [named, named]);
  await assert.rejects(store.all(), { code: 'STORE_CORRUPT' });
});

test('garbage collection is never given a list that misses a record', async (t) => {
  const { store } = await storeWithDamage(t);
  await assert.rejects(store.list(accountId, undefined, 10), { code: 'STORE_CORRUPT' });
  const versions = store.listVersions({ accountId, name: 'a' }, 0, 10);
  await assert.rejects(versions, { code: 'STORE_CORRUPT' });
});
