import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type FunctionKey,
  type FunctionRecord,
  MemoryFunctionStore,
  newFunction,
} from '../records/mod.ts';
import { FunctionCache } from './function-cache.ts';

const accountId = '000000000000';
let ids = 0;

function record(name: string): FunctionRecord {
  return newFunction(
    { accountId, name },
    {
      ...{ packageType: 'Image', role: 'r', description: '', timeoutSeconds: 3, memoryMb: 128 },
      ...{
        ephemeralStorageMb: 512,
        architecture: 'x86_64',
        layers: [],
        tracingMode: 'PassThrough',
      },
      ...{ logging: { format: 'Text', group: 'g' }, snapStartApplyOn: 'None' },
    },
    { kind: 'image', imageUri: 'a:b' },
    { nowMs: 1, newId: () => `id-${ids++}` },
  );
}

/** A store that counts its reads and can hold them up. */
class SlowStore extends MemoryFunctionStore {
  reads = 0;
  gate: Promise<void> = Promise.resolve();

  override async read(key: FunctionKey): Promise<FunctionRecord | undefined> {
    this.reads++;
    const found = await super.read(key);
    await this.gate;
    return found;
  }
}

const tagOf = async (cache: FunctionCache, name: string) =>
  (await cache.read({ accountId, name }))?.tags['t'];
const setTag = (store: MemoryFunctionStore, name: string, t: string) =>
  store.change({ accountId, name }, (each) => ({ function: { ...each, tags: { t } } }));

test('a function is read once for all concurrent callers, and answered without waiting from then on', async () => {
  const store = new SlowStore();
  await store.insert(record('f'));
  const cache = new FunctionCache(store, 10);
  await Promise.all(Array.from({ length: 5 }, () => cache.read({ accountId, name: 'f' })));
  assert.equal(store.reads, 1);
  assert.ok(!(cache.read({ accountId, name: 'f' }) instanceof Promise));
});

test('a writer reads its own writes', async () => {
  const store = new SlowStore();
  await store.insert(record('f'));
  const cache = new FunctionCache(store, 10);
  assert.equal(await tagOf(cache, 'f'), undefined);
  await setTag(store, 'f', '1');
  assert.equal(await tagOf(cache, 'f'), '1');
  await store.remove({ accountId, name: 'f' });
  assert.equal(await cache.read({ accountId, name: 'f' }), undefined);
  await store.insert(record('f'));
  assert.ok(await cache.read({ accountId, name: 'f' }));
});

test('a read that a write has overtaken is not kept', async () => {
  const store = new SlowStore();
  await store.insert(record('f'));
  const cache = new FunctionCache(store, 10);
  let open = () => {};
  store.gate = new Promise((resolve) => {
    open = resolve;
  });
  const early = tagOf(cache, 'f');
  await Promise.resolve();
  await setTag(store, 'f', '1');
  open();
  await early;
  assert.equal(await tagOf(cache, 'f'), '1');
});

test('absent functions take no space, and the limit holds', async () => {
  const store = new SlowStore();
  for (const name of ['a', 'b', 'c']) await store.insert(record(name));
  const cache = new FunctionCache(store, 2);
  for (const name of ['a', 'b', 'c']) await tagOf(cache, name);
  store.reads = 0;
  await tagOf(cache, 'c');
  assert.equal(store.reads, 0);
  await tagOf(cache, 'a');
  assert.equal(store.reads, 1, 'the oldest had gone');
  await tagOf(cache, 'nothing');
  await tagOf(cache, 'nothing');
  assert.equal(store.reads, 3, 'absence is not remembered');
});

test('totals follow every write to the account', async () => {
  const store = new MemoryFunctionStore();
  const cache = new FunctionCache(store, 10);
  assert.equal((await cache.totals(accountId)).functions, 0);
  await store.insert(record('f'));
  assert.equal((await cache.totals(accountId)).functions, 1);
});

test('an error of the store is not kept', async () => {
  const store = new SlowStore();
  await store.insert(record('f'));
  store.gate = Promise.reject(new Error('disk'));
  const cache = new FunctionCache(store, 10);
  await assert.rejects(async () => cache.read({ accountId, name: 'f' }), /disk/);
  store.gate = Promise.resolve();
  assert.ok(await cache.read({ accountId, name: 'f' }));
});
