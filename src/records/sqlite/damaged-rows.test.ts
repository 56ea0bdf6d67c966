import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import { sampleFunction } from '../samples.fixture.ts';
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

test('garbage collection is never given a list that misses a record', async (t) => {
  const { store } = await storeWithDamage(t);
  await assert.rejects(store.list(accountId, undefined, 10), { code: 'STORE_CORRUPT' });
  const versions = store.listVersions({ accountId, name: 'a' }, 0, 10);
  await assert.rejects(versions, { code: 'STORE_CORRUPT' });
});
