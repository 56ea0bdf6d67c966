import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { GetFunctionCommand, LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { repositoryRoot } from '../repo/repository.ts';
import { hostLacks } from '../support/host.ts';
import { type RunningRegion, startRegion } from '../support/region.ts';
import { run, runOrThrow } from '../support/run.ts';
import { scratchDirectory } from '../support/temporary.ts';

const lacks = hostLacks('root', 'fuse', 'loop', 'cgroup');
const sluice = join(repositoryRoot, 'bin/sluice');

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

describe('accounts', { skip: lacks }, () => {
  const scratch = scratchDirectory('accounts');
  const data = join(scratch.path, 'data');
  let region: RunningRegion;
  const account = async (...words: string[]): Promise<Key> =>
    JSON.parse(await runOrThrow(sluice, ['account', ...words, '--json', '--data', data]));
  const clientOf = (credentials: Key) =>
    new LambdaClient({
      endpoint: region.endpoint,
      region: 'us-east-1',
      credentials,
      maxAttempts: 1,
    });
  const list = (key: Key) => clientOf(key).send(new ListFunctionsCommand({}));

  before(async () => {
    region = await startRegion(undefined, data);
  });
  after(async () => {
    await region?.stop();
    scratch.remove();
  });

  test('that are added while a region runs may call it, and see nobody else’s functions', async () => {
    const key = await account('add', '111111111111', '--name', 'tenant');
    assert.deepEqual((await list(key)).Functions, []);
    const foreign = 'arn:aws:lambda:us-east-1:000000000000:function:any';
    await assert.rejects(clientOf(key).send(new GetFunctionCommand({ FunctionName: foreign })), {
      name: 'AccessDeniedException',
    });
    const again = await run(sluice, ['account', 'add', '111111111111', '--data', data]);
    assert.deepEqual([again.status, /exists/.test(again.stderr)], [1, true]);
  });

  test('rotate a key: the new one is taken, the old one is refused', async () => {
    const old = await account('add', '222222222222');
    const key = await account('rotate', old.accessKeyId);
    assert.deepEqual((await list(key)).Functions, []);
    await assert.rejects(list(old), { name: 'UnrecognizedClientException' });
    await runOrThrow(sluice, ['account', 'disable', key.accessKeyId, '--data', data]);
    await assert.rejects(list(key), { name: 'UnrecognizedClientException' });
  });

  test('give a user a key that may do only what its policy says', async () => {
    await account('add', '333333333333');
    const policy = join(scratch.path, 'policy.json');
    const statement = { Effect: 'Allow', Action: 'lambda:GetFunction', Resource: '*' };
    writeFileSync(policy, JSON.stringify({ Version: '2012-10-17', Statement: [statement] }));
    const words = ['add-key', '333333333333', '--user', 'reader', '--policy', policy];
    const key = await account(...words);
    await assert.rejects(list(key), { name: 'AccessDeniedException' });
    await assert.rejects(clientOf(key).send(new GetFunctionCommand({ FunctionName: 'none' })), {
      name: 'ResourceNotFoundException',
    });
  });

  test('survive a restart with their keys', async () => {
    const key = await account('add', '444444444444');
    await region.stop();
    region = await startRegion(undefined, data);
    assert.deepEqual((await list(key)).Functions, []);
    const text = await runOrThrow(sluice, ['account', 'list', '--data', data]);
    assert.match(text, /444444444444/);
    assert.ok(!text.includes(key.secretAccessKey), 'a list shows no secret');
  });
});
