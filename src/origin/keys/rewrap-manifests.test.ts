import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import { CHUNK_SIZE_BYTES, systemClock, systemRandom } from '../../base/mod.ts';
import {
  nameOf,
  openManifest,
  readManifestHeader,
  sealManifest,
  unwrapDataKey,
} from '../../seal/mod.ts';
import { directoryOrigin } from '../open-origin.ts';
import { LocalKeyService } from './local-key-service.ts';
import { rewrapManifests } from './rewrap-manifests.ts';

const [mine, theirs] = ['000000000000', '000000000001'] as const;

async function region(t: TestContext) {
  const directory = temporaryDirectory(t);
  const files = join(directory, 'origin');
  const origin = directoryOrigin(files, { clock: systemClock, random: systemRandom });
  const keys = new LocalKeyService(join(directory, 'keys'), systemClock, systemRandom);
  const rootId = await origin.activeRoot();
  const ciphertext = Buffer.from('ciphertext');
  const name = nameOf(ciphertext);
  await origin.put({ rootId, name }, ciphertext);
  const put = async (manifestId: string, accountId: string) => {
    const facts = { manifestId, rootId, accountId, diskBytes: CHUNK_SIZE_BYTES, metadata: {} };
    const chunks = [{ name, key: systemRandom.bytes(32) }];
    const bytes = await sealManifest({ ...facts, chunks, createdAtMs: 0 }, keys, systemRandom);
    await origin.putManifest(rootId, manifestId, bytes);
  };
  const open = async (manifestId: string) => {
    const { bytes } = await origin.findManifest(manifestId);
    return openManifest(bytes, await unwrapDataKey(bytes, keys));
  };
  const keyIdOf = async (manifestId: string) =>
    readManifestHeader((await origin.findManifest(manifestId)).bytes).keyId;
  return { files, origin, keys, put, open, keyIdOf };
}

function changeTimes(files: string): string[] {
  const chunks = readdirSync(files, { recursive: true, withFileTypes: true });
  return chunks
    .filter((each) => each.isFile() && each.parentPath.includes('chunks'))
    .map((each) => `${each.name} ${statSync(join(each.parentPath, each.name)).ctimeMs}`);
}

test('rotating a key: manifests follow, chunks stay, the old key may be disabled', async (t) => {
  const { files, origin, keys, put, open, keyIdOf } = await region(t);
  for (const id of ['m-1', 'm-2']) await put(id, mine);
  await put('m-3', theirs);
  const before = changeTimes(files);
  assert.equal(before.length, 1);
  const key = (await open('m-1')).chunkKey(0);
  await keys.rotateAccountKey(mine);
  assert.equal(await rewrapManifests(origin, keys, mine), 2);
  const old = `local:${mine}:1`;
  await keys.setKeyState(old, 'disabled');
  assert.deepEqual((await open('m-1')).chunkKey(0), key);
  await open('m-2');
  await open('m-3');
  assert.equal(await keyIdOf('m-1'), `local:${mine}:2`);
  assert.equal(await keyIdOf('m-3'), `local:${theirs}:1`);
  assert.deepEqual(changeTimes(files), before);
});

test('a manifest that was not rewrapped fails with the name of its disabled key', async (t) => {
  const { keys, put, open } = await region(t);
  await put('m-1', mine);
  await keys.rotateAccountKey(mine);
  await keys.setKeyState(`local:${mine}:1`, 'disabled');
  await assert.rejects(open('m-1'), (error: { code: string; message: string }) => {
    return error.code === 'KEY_DISABLED' && error.message.includes(`local:${mine}:1`);
  });
});

test('a rotation that was cut off is finished by another', async (t) => {
  const { origin, keys, put, open } = await region(t);
  for (const id of ['m-1', 'm-2', 'm-3']) await put(id, mine);
  await keys.rotateAccountKey(mine);
  let rewraps = 0;
  const dying = {
    ...{ generateDataKey: keys.generateDataKey, unwrapDataKey: keys.unwrapDataKey },
    rewrapDataKey: async (...words: Parameters<typeof keys.rewrapDataKey>) => {
      if (++rewraps === 2) throw new Error('killed');
      return await keys.rewrapDataKey(...words);
    },
  };
  await assert.rejects(rewrapManifests(origin, dying, mine), /killed/);
  for (const id of ['m-1', 'm-2', 'm-3']) await open(id);
  assert.equal(await rewrapManifests(origin, keys, mine), 3);
  await keys.setKeyState(`local:${mine}:1`, 'disabled');
  for (const id of ['m-1', 'm-2', 'm-3']) await open(id);
});
