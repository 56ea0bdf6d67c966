import assert from 'node:assert/strict';
import { readdirSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { isSluiceError, systemRandom } from '../base/mod.ts';
import { type CodeArchive, DirectoryCodeArchive, MemoryCodeArchive } from './code-archive.ts';
import { SqliteLayerStore } from './layer-store.ts';

const one = '111111111111';
const archives: Record<string, (t: TestContext) => CodeArchive> = {
  memory: () => new MemoryCodeArchive(),
  directory: (t) => new DirectoryCodeArchive(join(temporaryDirectory(t), 'code'), systemRandom),
};

for (const [name, open] of Object.entries(archives)) {
  test(`${name} archive: bytes come back by account and hash`, async (t) => {
    const archive = open(t);
    const bytes = Buffer.from('zip');
    const sha256 = await archive.put(one, bytes);
    assert.match(sha256, /^[0-9a-f]{64}$/);
    assert.equal(await archive.put(one, bytes), sha256);
    assert.deepEqual(await archive.get(one, sha256), bytes);
    const missing = (error: unknown) => isSluiceError(error, 'CODE_NOT_FOUND');
    await assert.rejects(archive.get('222222222222', sha256), missing);
    await assert.rejects(archive.get(one, '0'.repeat(64)), missing);
  });
}

test('directory archive: no name leads out of it, and no partial file stays', async (t) => {
  const directory = temporaryDirectory(t);
  const archive = new DirectoryCodeArchive(directory, systemRandom);
  await assert.rejects(archive.get('..', '0'.repeat(64)), (e) => isSluiceError(e, 'INTERNAL'));
  await assert.rejects(archive.get(one, '../x'), (e) => isSluiceError(e, 'INTERNAL'));
  await archive.put(one, Buffer.from('zip'));
  assert.equal(readdirSync(join(directory, one)).length, 1);
});

test('directory archive: a cut archive is not handed out, and is named', async (t) => {
  const directory = temporaryDirectory(t);
  const archive = new DirectoryCodeArchive(directory, systemRandom);
  const sha256 = await archive.put(one, Buffer.from('all of a zip'));
  const path = join(directory, one, `${sha256}.zip`);
  truncateSync(path, 5);
  const named = (error: unknown) =>
    isSluiceError(error, 'STORE_CORRUPT') && error.message.startsWith(path);
  await assert.rejects(archive.get(one, sha256), named);
});

const layer = {
  ...{ accountId: one, name: 'l', description: '', sha256: '0', createdMs: 1 },
  ...{ sizeBytes: 1, unzippedBytes: 2 },
  ...{ compatibleRuntimes: [], compatibleArchitectures: [] },
};

test('layers: numbered from 1, listed newest first, numbers never given twice', async (t) => {
  const path = join(temporaryDirectory(t), 'layers.db');
  const store = SqliteLayerStore.open(path);
  t.after(() => store.close());
  const numbers = [];
  for (let i = 0; i < 3; i++) numbers.push((await store.publish(layer)).version);
  assert.deepEqual(numbers, [1, 2, 3]);
  await store.remove(layer, 3);
  await store.remove(layer, 3);
  assert.equal((await store.publish(layer)).version, 4);
  const listed = await store.listVersions(layer, undefined, 10);
  assert.deepEqual(
    listed.map((each) => each.version),
    [4, 2, 1],
  );
  const below = await store.listVersions(layer, 4, 1);
  assert.deepEqual(
    below.map((each) => each.version),
    [2],
  );
  assert.equal(await store.totalBytes(one), 3 * layer.sizeBytes);
  assert.equal(await store.totalBytes('333333333333'), 0);
  assert.deepEqual(await store.read(layer, 2), { ...layer, version: 2 });
  assert.equal(await store.read(layer, 3), undefined);
  await store.publish({ ...layer, name: 'm' });
  await store.publish({ ...layer, accountId: '222222222222', name: 'n' });
  const names = async (after?: string) =>
    (await store.list(one, after, 10)).map((each) => `${each.name}:${each.version}`);
  assert.deepEqual(await names(), ['l:4', 'm:1']);
  assert.deepEqual(await names('l'), ['m:1']);
});
