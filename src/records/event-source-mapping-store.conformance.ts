import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { isSluiceError } from '../base/mod.ts';
import type {
  EventSourceMappingRecord,
  EventSourceMappingStore,
  MappingCounts,
} from './event-source-mapping-store.ts';

export const mappingOf = (
  n: number,
  change: Partial<EventSourceMappingRecord> = {},
): EventSourceMappingRecord => ({
  uuid: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
  accountId: '111111111111',
  functionName: 'f',
  eventSourceArn: `arn:aws:sqs:us-east-1:111111111111:q${n}`,
  batchSize: 10,
  batchingWindowSeconds: 0,
  reportsItemFailures: false,
  enabled: true,
  state: 'Creating',
  revision: 1,
  lastModifiedMs: 1_700_000_000_000,
  tags: {},
  ...change,
});

/** What every store of event source mappings must do. */
export function mappingStoreConformance(
  name: string,
  open: (t: TestContext, options?: MappingCounts) => Promise<EventSourceMappingStore>,
): void {
  test(`${name}: a mapping is read as it was written, changed and removed`, async (t) => {
    const store = await open(t);
    const record = mappingOf(1, { qualifier: 'a', filters: ['{}'], maximumConcurrency: 2 });
    await store.insert(record);
    assert.deepEqual(await store.read(record.uuid), record);
    const changed = await store.change(record.uuid, (each) => ({ ...each, state: 'Enabled' }));
    assert.equal(changed?.state, 'Enabled');
    assert.deepEqual(await store.read(record.uuid), changed);
    assert.equal(await store.change(record.uuid, () => undefined), undefined);
    assert.equal(await store.read(record.uuid), undefined);
    const gone = store.change(record.uuid, (each) => each);
    await assert.rejects(gone, (error) => isSluiceError(error, 'MAPPING_NOT_FOUND'));
  });

  test(`${name}: a function is mapped to a source once`, async (t) => {
    const store = await open(t);
    const { uuid, eventSourceArn } = mappingOf(1);
    await store.insert(mappingOf(1));
    const exists = (error: unknown) =>
      isSluiceError(error, 'MAPPING_EXISTS') && error.data['uuid'] === uuid;
    await assert.rejects(store.insert(mappingOf(2, { eventSourceArn })), exists);
    await store.insert(mappingOf(2, { eventSourceArn, qualifier: 'alias' }));
    await store.insert(mappingOf(3, { eventSourceArn, functionName: 'g' }));
    await store.insert(mappingOf(4, { eventSourceArn, accountId: '222222222222' }));
    const steal = store.change(mappingOf(3).uuid, (each) => ({ ...each, functionName: 'f' }));
    await assert.rejects(steal, exists);
    assert.equal((await store.read(mappingOf(3).uuid))?.functionName, 'g');
  });

  test(`${name}: lists are filtered, in order, page by page`, async (t) => {
    const store = await open(t);
    for (const n of [3, 1, 2]) await store.insert(mappingOf(n));
    await store.insert(mappingOf(4, { functionName: 'g', qualifier: 'a' }));
    await store.insert(mappingOf(5, { accountId: '222222222222' }));
    const accountId = '111111111111';
    const uuids = async (...list: Parameters<EventSourceMappingStore['list']>) =>
      (await store.list(...list)).map((each) => Number(each.uuid.slice(-12)));
    assert.deepEqual(await uuids({ accountId }, undefined, 2), [1, 2]);
    assert.deepEqual(await uuids({ accountId }, mappingOf(2).uuid, 9), [3, 4]);
    assert.deepEqual(await uuids({ accountId, functionName: 'g' }, undefined, 9), [4]);
    const qualified = { accountId, functionName: 'g', qualifier: 'b' };
    assert.deepEqual(await uuids(qualified, undefined, 9), []);
    const { eventSourceArn } = mappingOf(2);
    assert.deepEqual(await uuids({ accountId, eventSourceArn }, undefined, 9), [2]);
    assert.equal((await store.all()).length, 5);
  });

  test(`${name}: watchers hear of each write, and of none that failed`, async (t) => {
    const store = await open(t);
    const heard: string[] = [];
    const stop = store.watch((uuid) => heard.push(uuid));
    await store.insert(mappingOf(1));
    const failing = store.change(mappingOf(1).uuid, () => {
      throw new RangeError('no');
    });
    await assert.rejects(failing, RangeError);
    await store.change(mappingOf(1).uuid, (each) => each);
    await store.change(mappingOf(1).uuid, () => undefined);
    stop();
    await store.insert(mappingOf(2));
    assert.deepEqual(heard, Array(3).fill(mappingOf(1).uuid));
  });

  test(`${name}: there are limits, of an account and of all`, async (t) => {
    const store = await open(t, { own: 2, all: 3 });
    const full = (error: unknown) => isSluiceError(error, 'OVERLOADED');
    await store.insert(mappingOf(1));
    await store.insert(mappingOf(2));
    await assert.rejects(store.insert(mappingOf(3)), full);
    await store.insert(mappingOf(4, { accountId: '222222222222' }));
    await assert.rejects(store.insert(mappingOf(5, { accountId: '333333333333' })), full);
    await store.change(mappingOf(1).uuid, () => undefined);
    await store.insert(mappingOf(3));
  });
}
