import assert from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { repositoryRoot } from '../repo/repository.ts';
import { hostLacks } from '../support/host.ts';
import { createImageFunction } from '../support/image-function.ts';
import { prepareData } from '../support/prepared-data.ts';
import { type RunningRegion, startRegion } from '../support/region.ts';
import { runOrThrow } from '../support/run.ts';
import { scratchDirectory } from '../support/temporary.ts';

const lacks = hostLacks('root', 'fuse', 'loop', 'cgroup');
const sluice = join(repositoryRoot, 'bin/sluice');
const account = '000000000000';

describe("an account's key", { skip: lacks }, () => {
  const scratch = scratchDirectory('key-commands');
  const data = join(scratch.path, 'data');
  let region: RunningRegion;
  const json = async (...words: string[]) =>
    JSON.parse(await runOrThrow(sluice, [...words, '--json', '--data', data]));
  const invoke = () =>
    region.client().send(new InvokeCommand({ FunctionName: 'f', Payload: '{"mode":"echo"}' }));
  /** A new region has no warm sandbox, so the next invoke needs the key. */
  const restart = async () => {
    await region?.stop();
    region = await startRegion(undefined, data);
  };

  before(async () => {
    const image = await prepareData(data);
    await restart();
    await createImageFunction(region.client(), 'f', image);
  });
  after(async () => {
    await region?.stop();
    scratch.remove();
  });

  test('rotates without touching a chunk, and the old key may go', async () => {
    const [before] = await json('image', 'list');
    const [rootBefore] = (await json('gc', 'status')).roots;
    const rotated = await json('key', 'rotate', account);
    assert.deepEqual([rotated.keyId, rotated.manifests], [`local:${account}:2`, 1]);
    const [now] = await json('image', 'list');
    assert.deepEqual([before.keyId, now.keyId], [`local:${account}:1`, `local:${account}:2`]);
    const [rootNow] = (await json('gc', 'status')).roots;
    assert.deepEqual([rootNow.chunks, rootNow.bytes], [rootBefore.chunks, rootBefore.bytes]);
    const old = join(data, 'keys/accounts', account, '1.json');
    assert.ok(readdirSync(join(data, 'keys/accounts', account)).includes('1.json'));
    rmSync(old);
    await restart();
    assert.equal((await invoke()).StatusCode, 200);
  });

  test('when disabled, fails an invoke with a KMS error that names it, until it is enabled', async () => {
    const keyId = `local:${account}:2`;
    await json('key', 'disable', keyId);
    await restart();
    await assert.rejects(
      invoke(),
      (error: { name: string; Message?: string; message: string }) =>
        error.name === 'KMSDisabledException' && (error.Message ?? error.message).includes(keyId),
    );
    await json('key', 'enable', keyId);
    assert.equal((await invoke()).StatusCode, 200);
  });
});
