import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { isSluiceError } from '../base/mod.ts';
import { publish } from './published-versions.ts';
import type { FunctionRecord } from './records.ts';
import { sampleCode, sampleFunction, sampleStamp } from './samples.fixture.ts';
import type { FunctionStore } from './store.ts';
import { installSucceeded } from './transitions.ts';

const key = { accountId: '111111111111', name: 'f' };

function activeFunction(name = 'f'): FunctionRecord {
  const pending = sampleFunction({ ...key, name });
  const active = installSucceeded(pending, pending.latest.work!.id, sampleCode, sampleStamp());
  assert.ok(active);
  return active;
}

/** What every function store must do; each implementation adds only how to open one. */
export function functionStoreConformance(
  name: string,
  open: (t: TestContext) => Promise<FunctionStore>,
): void {
  test(`${name}: a function is read as it was written`, async (t) => {
    const store = await open(t);
    const record = sampleFunction(key);
    await store.insert(record);
    assert.deepEqual(await store.read(key), record);
    assert.equal(await store.read({ ...key, name: 'g' }), undefined);
    assert.equal(await store.read({ ...key, accountId: '222222222222' }), undefined);
  });

  test(`${name}: a name can be taken once per account`, async (t) => {
    const store = await open(t);
    await store.insert(sampleFunction(key));
    await assert.rejects(store.insert(sampleFunction(key)), (e) =>
      isSluiceError(e, 'FUNCTION_EXISTS'),
    );
    await store.insert(sampleFunction({ ...key, accountId: '222222222222' }));
  });

  test(`${name}: a change that throws writes nothing and tells nobody`, async (t) => {
    const store = await open(t);
    await store.insert(sampleFunction(key));
    const heard: string[] = [];
    store.watch((each) => heard.push(each.name));
    const before = await store.read(key);
    const failing = store.change(key, () => {
      throw new RangeError('no');
    });
    await assert.rejects(failing, RangeError);
    assert.deepEqual(await store.read(key), before);
    assert.deepEqual(heard, []);
    const missing = store.change({ ...key, name: 'g' }, (each) => ({ function: each }));
    await assert.rejects(missing, (e) => isSluiceError(e, 'FUNCTION_NOT_FOUND'));
  });

  test(`${name}: changes of one function do not lose each other`, async (t) => {
    const store = await open(t);
    await store.insert(sampleFunction(key));
    const tag = (index: number) =>
      store.change(key, (each) => ({
        function: { ...each, tags: { ...each.tags, [`t${index}`]: 'x' } },
      }));
    await Promise.all(Array.from({ length: 20 }, (_, index) => tag(index)));
    assert.equal(Object.keys((await store.read(key))!.tags).length, 20);
  });

  test(`${name}: lists go by key from the marker on`, async (t) => {
    const store = await open(t);
    for (const each of ['b', 'a', 'c', 'B'])
      await store.insert(sampleFunction({ ...key, name: each }));
    await store.insert(sampleFunction({ accountId: '222222222222', name: 'x' }));
    const names = async (after: string | undefined, limit: number) =>
      (await store.list(key.accountId, after, limit)).map((each) => each.name);
    assert.deepEqual(await names(undefined, 2), ['B', 'a']);
    assert.deepEqual(await names('a', 10), ['b', 'c']);
    assert.deepEqual(await names('c', 10), []);
  });

  test(`${name}: versions are kept, listed, removed, and count in the totals`, async (t) => {
    const store = await open(t);
    await store.insert(activeFunction());
    for (const memoryMb of [128, 256]) {
      await store.change(key, (each, totals) => {
        assert.equal(totals.functions, 1);
        const configuration = { ...each.latest.configuration, memoryMb };
        const latest = { ...each.latest, configuration };
        return publish({ ...each, latest }, 'why', sampleStamp());
      });
    }
    assert.deepEqual(
      (await store.listVersions(key, 0, 10)).map((each) => each.version),
      [1, 2],
    );
    assert.deepEqual(
      (await store.listVersions(key, 1, 10)).map((each) => each.version),
      [2],
    );
    assert.equal((await store.readVersion(key, 2))?.configuration.memoryMb, 256);
    const size = sampleCode.codeSizeBytes;
    assert.equal((await store.totals(key.accountId)).codeSizeBytes, 3 * size);
    await store.change(key, (each) => ({ function: each, removeVersion: 1 }));
    assert.equal(await store.readVersion(key, 1), undefined);
    assert.equal((await store.totals(key.accountId)).codeSizeBytes, 2 * size);
  });

  test(`${name}: removing takes versions and urls along`, async (t) => {
    const store = await open(t);
    await store.insert(activeFunction());
    const url = {
      urlId: 'u'.repeat(32),
      authType: 'NONE',
      invokeMode: 'BUFFERED',
      createdMs: 1,
      lastModifiedMs: 1,
    } as const;
    await store.change(key, (each) =>
      publish({ ...each, urls: { $LATEST: url } }, '', sampleStamp()),
    );
    assert.deepEqual(await store.findUrl(url.urlId), { ...key, qualifier: '$LATEST' });
    assert.equal(await store.remove(key), true);
    assert.equal(await store.remove(key), false);
    assert.equal(await store.findUrl(url.urlId), undefined);
    assert.equal(await store.readVersion(key, 1), undefined);
    const totals = { functions: 0, codeSizeBytes: 0, reservedConcurrency: 0 };
    assert.deepEqual(await store.totals(key.accountId), totals);
  });

  test(`${name}: the accounts are those that have functions, each once`, async (t) => {
    const store = await open(t);
    assert.deepEqual(await store.accounts(), []);
    await store.insert(sampleFunction({ ...key, accountId: '222222222222' }));
    await store.insert(sampleFunction(key));
    await store.insert(activeFunction('another'));
    assert.deepEqual(await store.accounts(), ['111111111111', '222222222222']);
    await store.remove({ ...key, accountId: '222222222222' });
    assert.deepEqual(await store.accounts(), ['111111111111']);
  });

  test(`${name}: unfinished work is found, finished work is not`, async (t) => {
    const store = await open(t);
    await store.insert(sampleFunction(key));
    await store.insert(activeFunction('done'));
    assert.deepEqual(
      (await store.unfinished()).map((each) => each.name),
      ['f'],
    );
    await store.change(key, (each) => ({
      function: installSucceeded(each, each.latest.work!.id, sampleCode, sampleStamp())!,
    }));
    assert.deepEqual(await store.unfinished(), []);
  });

  test(`${name}: watchers hear of each write before it resolves, until they end`, async (t) => {
    const store = await open(t);
    const heard: string[] = [];
    const end = store.watch((each) => heard.push(`${each.accountId}/${each.name}`));
    await store.insert(sampleFunction(key));
    await store.change(key, (each) => ({ function: each }));
    await store.remove(key);
    assert.deepEqual(heard, Array(3).fill('111111111111/f'));
    end();
    await store.insert(sampleFunction(key));
    assert.equal(heard.length, 3);
  });

  test(`${name}: functions with provisioned concurrency are found`, async (t) => {
    const store = await open(t);
    await store.insert(activeFunction());
    await store.insert(activeFunction('none'));
    const provisionedConcurrency = { '1': { requested: 3, lastModifiedMs: 1 } };
    await store.change(key, (each) => ({ function: { ...each, provisionedConcurrency } }));
    assert.deepEqual(
      (await store.provisioned()).map((each) => each.name),
      ['f'],
    );
    assert.equal((await store.totals(key.accountId)).reservedConcurrency, 3);
    await store.change(key, (each) => ({ function: { ...each, provisionedConcurrency: {} } }));
    assert.deepEqual(await store.provisioned(), []);
  });

  test(`${name}: reserved concurrency adds up over the account`, async (t) => {
    const store = await open(t);
    for (const each of ['a', 'b']) {
      await store.insert({ ...sampleFunction({ ...key, name: each }), reservedConcurrency: 7 });
    }
    assert.equal((await store.totals(key.accountId)).reservedConcurrency, 14);
  });
}
