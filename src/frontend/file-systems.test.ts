import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as sdk from '@aws-sdk/client-lambda';
import { startFrontend, stranger } from './testing/harness.fixture.ts';
import { createActive, refusal } from './testing/lambda.fixture.ts';
import { call } from './testing/raw-http.fixture.ts';

const Arn = 'arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0';
const FileSystemConfigs = [{ Arn, LocalMountPath: '/mnt/data' }];
const mayMount = (accountId: string, arn: string) => accountId === '000000000000' && arn === Arn;

test('an access point that the account may mount is taken and shown, any other refused', async (t) => {
  const { client } = await startFrontend(t, { mayMount });
  const lambda = client();
  await createActive(lambda, { FileSystemConfigs });
  const shown = await lambda.send(new sdk.GetFunctionConfigurationCommand({ FunctionName: 'f' }));
  assert.deepEqual(shown.FileSystemConfigs, FileSystemConfigs);
  const refused = { name: 'InvalidParameterValueException', status: 400 };
  const message = 'FileSystemConfigs is not supported: nothing here acts on it.';
  const other = [{ Arn: `${Arn}0`, LocalMountPath: '/mnt/data' }];
  const create = createActive(lambda, { FunctionName: 'g', FileSystemConfigs: other });
  assert.deepEqual(await refusal(create), { ...refused, message });
  const strangers = createActive(client(stranger), { FileSystemConfigs });
  assert.deepEqual(await refusal(strangers), { ...refused, message });
  const update = { FunctionName: 'f', FileSystemConfigs: other };
  const changed = lambda.send(new sdk.UpdateFunctionConfigurationCommand(update));
  assert.deepEqual(await refusal(changed), { ...refused, message });
});

test('a place that is not a name below /mnt is refused as Lambda refuses it', async (t) => {
  const { client } = await startFrontend(t, { mayMount });
  for (const LocalMountPath of ['/data', '/mnt/', '/mnt/a/b', '/mnt/..', '/mnt/.']) {
    const create = createActive(client(), { FileSystemConfigs: [{ Arn, LocalMountPath }] });
    assert.match(
      (await refusal(create)).message,
      /at 'fileSystemConfigs\.1\.member\.localMountPath' failed .* regular expression/,
    );
  }
  await createActive(client(), { FileSystemConfigs: [{ Arn, LocalMountPath: '/mnt/.a' }] });
});

test('with unsupported.members warn one that nobody may mount is kept, with a warning', async (t) => {
  const { client, port } = await startFrontend(t, { unsupported: 'warn' });
  await createActive(client(), { FileSystemConfigs });
  const path = '/2015-03-31/functions/f/configuration';
  const { Warnings } = JSON.parse((await call(port, { method: 'GET', path })).body);
  assert.deepEqual(Warnings, ['FileSystemConfigs: it is kept, and nothing acts on it']);
});
