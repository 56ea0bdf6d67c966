import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { hostLacks } from '../support/host.ts';
import { buildTestImage } from '../support/node-image.ts';
import { type RunningRegion, startRegion } from '../support/region.ts';
import { run, runOrThrow } from '../support/run.ts';
import { scratchDirectory } from '../support/temporary.ts';

const lacks = hostLacks('root', 'fuse', 'loop', 'cgroup', 'tool:aws');
const aws = '/usr/bin/aws';

describe("the Lambda API with Debian's aws command", { skip: lacks }, () => {
  const scratch = scratchDirectory('lambda-awscli');
  let region: RunningRegion;
  const words = (...rest: string[]) => ['lambda', ...rest, '--endpoint-url', region.endpoint];
  const lambda = async (...rest: string[]) => {
    const text = await runOrThrow(aws, words(...rest), { env: region.awsEnvironment() });
    return text.trim() === '' ? undefined : JSON.parse(text);
  };

  before(async () => {
    region = await startRegion(undefined, join(scratch.path, 'data'));
  });
  after(async () => {
    await region?.stop();
    scratch.remove();
  });

  test('create, wait, invoke, list, update, delete', async () => {
    const image = await buildTestImage(join(scratch.path, 'image'));
    const role = 'arn:aws:iam::000000000000:role/any';
    const created = await lambda(
      ...['create-function', '--function-name', 'cli', '--package-type', 'Image'],
      ...['--code', `ImageUri=${image}`, '--role', role],
    );
    assert.equal(created.State, 'Pending');
    assert.equal(created.FunctionArn, 'arn:aws:lambda:us-east-1:000000000000:function:cli');
    await lambda('wait', 'function-active-v2', '--function-name', 'cli');

    const answerFile = join(scratch.path, 'answer.json');
    const answer = await lambda(
      ...['invoke', '--function-name', 'cli', '--cli-binary-format', 'raw-in-base64-out'],
      ...['--payload', '{"mode":"echo","word":"hé"}', '--log-type', 'Tail', answerFile],
    );
    assert.equal(answer.StatusCode, 200);
    assert.equal(answer.ExecutedVersion, '$LATEST');
    assert.match(Buffer.from(answer.LogResult, 'base64').toString(), /START RequestId/);
    assert.equal(JSON.parse(readFileSync(answerFile, 'utf8')).word, 'hé');

    const listed = await lambda('list-functions');
    assert.equal(listed.Functions[0].FunctionName, 'cli');
    const arn = created.FunctionArn;
    assert.equal(
      (await lambda('get-function', '--function-name', arn)).Configuration.State,
      'Active',
    );
    const configuration = await lambda('get-function-configuration', '--function-name', 'cli');
    assert.equal(configuration.PackageType, 'Image');

    await lambda('update-function-code', '--function-name', 'cli', '--image-uri', image);
    await lambda('wait', 'function-updated-v2', '--function-name', 'cli');
    assert.equal((await lambda('get-account-settings')).AccountUsage.FunctionCount, 1);
    await lambda('delete-function', '--function-name', 'cli');
    assert.deepEqual((await lambda('list-functions')).Functions, []);
  });

  test('what is wrong comes back as the error that the command knows', async () => {
    const env = region.awsEnvironment();
    const missing = await run(aws, words('get-function', '--function-name', 'nobody'), { env });
    assert.notEqual(missing.status, 0);
    assert.match(missing.stderr, /ResourceNotFoundException.*Function not found: arn:aws:lambda:/);
    const forged = { ...env, AWS_ACCESS_KEY_ID: 'AKIAFORGED', AWS_SECRET_ACCESS_KEY: 'forged' };
    const refused = await run(aws, words('list-functions'), { env: forged });
    assert.match(refused.stderr, /UnrecognizedClientException/);
    const stolen = /aws_access_key_id = (\S+)/.exec(
      readFileSync(region.credentialsFile, 'utf8'),
    )?.[1];
    const wrong = { ...env, AWS_ACCESS_KEY_ID: stolen, AWS_SECRET_ACCESS_KEY: 'not the secret' };
    const mismatch = await run(aws, words('list-functions'), { env: wrong });
    assert.match(mismatch.stderr, /InvalidSignatureException/);
  });
});
