import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  AddPermissionCommand,
  CreateFunctionCommand,
  type CreateFunctionCommandInput,
  DeleteFunctionCommand,
  GetAccountSettingsCommand,
  GetFunctionCommand,
  InvokeCommand,
  LambdaClient,
  ListFunctionsCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionActiveV2,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';
import { repositoryRoot } from '../repo/repository.ts';
import { hostLacks } from '../support/host.ts';
import { buildTestImage } from '../support/node-image.ts';
import { prepareData } from '../support/prepared-data.ts';
import { type RunningRegion, startRegion } from '../support/region.ts';
import { runOrThrow } from '../support/run.ts';
import { scratchDirectory } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const lacks = hostLacks('root', 'fuse', 'loop', 'cgroup');

const sluice = join(repositoryRoot, 'bin/sluice');

describe('the Lambda API with the stock SDK', { skip: lacks }, () => {
  const scratch = scratchDirectory('lambda-sdk');
  let region: RunningRegion;
  let client: LambdaClient;
  let image: string;

  const create = async (
    name: string,
    imageUri = image,
    timeoutSeconds = 5,
    more: Partial<CreateFunctionCommandInput> = {},
  ) => {
    await client.send(
      new CreateFunctionCommand({
        ...more,
        FunctionName: name,
        PackageType: 'Image',
        Code: { ImageUri: imageUri },
        Role: 'arn:aws:iam::000000000000:role/any',
        Timeout: timeoutSeconds,
        Environment: { Variables: { GREETING: 'hi' } },
      }),
    );
    await waitUntilFunctionActiveV2(
      { client, maxWaitTime: 600, minDelay: 0.1, maxDelay: 0.5 },
      { FunctionName: name },
    );
  };
  const invoke = async (name: string, event: unknown) => {
    const answer = await client.send(
      new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(event), LogType: 'Tail' }),
    );
    const text = Buffer.from(answer.Payload ?? []).toString('utf8');
    return {
      status: answer.StatusCode,
      functionError: answer.FunctionError,
      body: JSON.parse(text),
      log: Buffer.from(answer.LogResult ?? '', 'base64').toString('utf8'),
    };
  };

  before(async () => {
    const data = join(scratch.path, 'data');
    image = await prepareData(data);
    const folders = [dirname(image.split(':')[1] ?? ''), scratch.path];
    const images = ['images.local', JSON.stringify({ '111111111111': folders })];
    await runOrThrow(sluice, ['config', 'set', ...images, '--data', data]);
    region = await startRegion(undefined, data);
    client = region.client();
    await create('f');
  });
  after(async () => {
    await region?.stop();
    scratch.remove();
  });

  test('a function is created, active, listed and invoked, cold and then warm', async () => {
    const cold = await invoke('f', { mode: 'echo', number: 1 });
    assert.equal(cold.status, 200);
    assert.equal(cold.functionError, undefined);
    assert.equal(cold.body.number, 1);
    assert.match(cold.log, /^START RequestId: [0-9a-f-]{36} Version: \$LATEST\n/);
    assert.match(cold.log, /REPORT RequestId: .*\tInit Duration: [\d.]+ ms\t\n$/);
    const warm = await invoke('f', { mode: 'echo', number: 2 });
    assert.deepEqual(
      [warm.body.bornAt, warm.body.invokes],
      [cold.body.bornAt, cold.body.invokes + 1],
    );
    assert.doesNotMatch(warm.log, /Init Duration/);

    const listed = await client.send(new ListFunctionsCommand({}));
    assert.deepEqual(
      listed.Functions?.map((each) => each.FunctionName),
      ['f'],
    );
    const got = await client.send(new GetFunctionCommand({ FunctionName: 'f' }));
    assert.equal(got.Configuration?.State, 'Active');
    assert.equal(got.Code?.ImageUri, image);
    assert.match(got.Code?.ResolvedImageUri ?? '', /@sha256:[0-9a-f]{64}$/);
    const account = await client.send(new GetAccountSettingsCommand({}));
    assert.equal(account.AccountUsage?.FunctionCount, 1);
  });

  test('the handler finds the environment of the contract', async () => {
    const { body } = await invoke('f', { mode: 'environment' });
    assert.equal(body.GREETING, 'hi');
    assert.equal(body.AWS_LAMBDA_FUNCTION_NAME, 'f');
    assert.equal(body.AWS_LAMBDA_FUNCTION_VERSION, '$LATEST');
    assert.equal(body.AWS_LAMBDA_FUNCTION_MEMORY_SIZE, '128');
    assert.equal(body.AWS_REGION, 'us-east-1');
    assert.equal(body._HANDLER, 'handler.handler');
    assert.equal(body.cwd, '/var/task');
    assert.notEqual(body.uid, 0);
  });

  test('a sandbox has keys that may do what a policy allows its role, until it ends', async () => {
    const { body } = await invoke('f', { mode: 'environment' });
    const credentials = {
      accessKeyId: body.AWS_ACCESS_KEY_ID,
      secretAccessKey: body.AWS_SECRET_ACCESS_KEY,
      sessionToken: body.AWS_SESSION_TOKEN,
    };
    const where = { endpoint: region.endpoint, region: 'us-east-1', maxAttempts: 1 };
    const inside = new LambdaClient({ ...where, credentials });
    const call = () => inside.send(new InvokeCommand({ FunctionName: 'f', Payload: '{}' }));
    const denied = { name: 'AccessDeniedException' };
    await assert.rejects(inside.send(new ListFunctionsCommand({})), denied);
    await assert.rejects(call(), denied);
    await client.send(
      new AddPermissionCommand({
        FunctionName: 'f',
        StatementId: 'role',
        Action: 'lambda:InvokeFunction',
        Principal: 'arn:aws:iam::000000000000:role/any',
      }),
    );
    assert.equal((await call()).StatusCode, 200);
    await assert.rejects(inside.send(new ListFunctionsCommand({})), denied);
    const forged = { ...credentials, sessionToken: 'another' };
    const forger = new LambdaClient({ ...where, credentials: forged });
    const unknown = { name: 'UnrecognizedClientException' };
    await assert.rejects(forger.send(new ListFunctionsCommand({})), unknown);
    await client.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'f', Timeout: 6 }));
    await waitUntilFunctionUpdatedV2({ client, maxWaitTime: 60 }, { FunctionName: 'f' });
    const gone = async () => (await call().catch((error) => error)).name === unknown.name;
    await until('the keys end', gone);
    await assert.rejects(call(), unknown);
  });

  test('a handler that throws answers its own error', async () => {
    const { status, functionError, body } = await invoke('f', { mode: 'throw' });
    assert.deepEqual([status, functionError], [200, 'Unhandled']);
    assert.deepEqual([body.errorType, body.errorMessage], ['RangeError', 'out of range']);
  });

  test('a handler that exits answers Runtime.ExitError, and the next invoke works', async () => {
    const clean = await invoke('f', { mode: 'exit' });
    assert.equal(clean.functionError, 'Unhandled');
    assert.equal(clean.body.errorType, 'Runtime.ExitError');
    assert.match(
      clean.body.errorMessage,
      /^RequestId: [0-9a-f-]{36} Error: Runtime exited without providing a reason$/,
    );
    const failed = await invoke('f', { mode: 'exit', status: 7 });
    assert.match(failed.body.errorMessage, /Error: Runtime exited with error: exit status 7$/);
    assert.equal((await invoke('f', { mode: 'echo' })).functionError, undefined);
  });

  test('a handler that never answers is cut off at its timeout', async () => {
    await create('slow', image, 4);
    const { status, functionError, body } = await invoke('slow', { mode: 'hang' });
    assert.deepEqual(
      [status, functionError, body.errorType],
      [200, 'Unhandled', 'Sandbox.Timedout'],
    );
    assert.match(
      body.errorMessage,
      /^RequestId: [0-9a-f-]{36} Error: Task timed out after 4.00 seconds$/,
    );
    assert.equal((await invoke('slow', { mode: 'echo' })).functionError, undefined);
    const path = '/tmp/of-the-one-that-hung';
    await invoke('slow', { mode: 'writeAndHang', path });
    const after = await invoke('slow', { mode: 'read', path });
    assert.equal(after.body, 'kept', 'the next invoke finds the /tmp of the one that was cut off');
    assert.doesNotMatch(after.log, /Init Duration/, 'in a sandbox that was there');
    assert.equal((await invoke('slow', { mode: 'echo' })).body.invokes, 2);
    await client.send(new DeleteFunctionCommand({ FunctionName: 'slow' }));
  });

  test('a handler that prints a megabyte answers, and the tail is the last 4 KB', async () => {
    const { body, log } = await invoke('f', { mode: 'print', lines: 1024 });
    assert.equal(body, 'printed');
    assert.ok(log.length <= 4096);
    assert.match(log, /REPORT RequestId/);
  });

  test('an answer over 6 MB is Function.ResponseSizeTooLarge', async () => {
    const { functionError, body } = await invoke('f', { mode: 'big', chars: 6_400_000 });
    assert.equal(functionError, 'Unhandled');
    assert.deepEqual(body, {
      errorType: 'Function.ResponseSizeTooLarge',
      errorMessage: 'Response payload size exceeded maximum allowed payload size (6291556 bytes).',
    });
  });

  test('a request over 6 MB is refused with 413', async () => {
    await assert.rejects(
      client.send(
        new InvokeCommand({ FunctionName: 'f', Payload: JSON.stringify('x'.repeat(6_291_456)) }),
      ),
      (error: { name: string; $metadata: { httpStatusCode: number } }) =>
        error.name === 'RequestTooLargeException' && error.$metadata.httpStatusCode === 413,
    );
  });

  test('inside, only /tmp is writable, and nothing of the host is in reach', async () => {
    assert.equal((await invoke('f', { mode: 'write', path: '/tmp/file' })).body, true);
    const root = await invoke('f', { mode: 'write', path: '/var/task/file' });
    assert.match(root.body.errorMessage, /EROFS/);
    const full = await invoke('f', { mode: 'write', path: '/tmp/big', bytes: 600_000_000 });
    assert.equal(full.functionError, 'Unhandled');
    const port = Number(new URL(region.endpoint).port);
    const host = await invoke('f', { mode: 'connect', host: '127.0.0.1', port });
    assert.equal(host.body, 'ECONNREFUSED');
    const { body: processes } = await invoke('f', { mode: 'list', path: '/proc' });
    const pids = processes.filter((name: string) => /^\d+$/.test(name));
    assert.ok(pids.length <= 3, `only its own processes are visible: ${pids}`);
  });

  test('concurrent invokes get a sandbox each', async () => {
    // Longer than a start takes: a waiting invoke goes to whichever sandbox is free first.
    const answers = await Promise.all(
      Array.from({ length: 3 }, () => invoke('f', { mode: 'sleep', ms: 4000 })),
    );
    const errors = answers.filter((each) => each.functionError).map(({ body }) => body);
    assert.deepEqual(errors, []);
    assert.equal(new Set(answers.map(({ body }) => body.sandbox)).size, 3);
  });

  test('tenants of a function never share a sandbox, and each finds its own again', async () => {
    await create('tenants', image, 5, { TenancyConfig: { TenantIsolationMode: 'PER_TENANT' } });
    const sandboxOf = async (TenantId: string) => {
      const input = { FunctionName: 'tenants', TenantId, Payload: '{}' };
      const { Payload } = await client.send(new InvokeCommand(input));
      return JSON.parse(Buffer.from(Payload ?? []).toString('utf8')).sandbox as string;
    };
    const [blue, green] = [await sandboxOf('blue'), await sandboxOf('green')];
    assert.notEqual(blue, green);
    assert.equal(await sandboxOf('blue'), blue);
    assert.equal(await sandboxOf('green'), green);
  });

  test('what a create answers does not tell whether the chunks were stored already', async () => {
    // Another account's chunks are shared, so its first create of this image stores nothing new.
    const words = ['account', 'add', '111111111111', '--json', '--data', region.dataDirectory];
    const credentials = JSON.parse(await runOrThrow(sluice, words));
    const { endpoint } = region;
    const stranger = new LambdaClient({ endpoint, region: 'us-east-1', credentials });
    const own = await buildTestImage(join(scratch.path, 'own'), {
      'var/task/data': randomBytes(3_000_000).toString('hex'),
    });
    const seen: string[] = [];
    for (const imageUri of [image, own]) {
      const FunctionName = `g${seen.length}`;
      const created = await stranger.send(
        new CreateFunctionCommand({
          FunctionName,
          PackageType: 'Image',
          Code: { ImageUri: imageUri },
          Role: 'arn:aws:iam::111111111111:role/any',
        }),
      );
      const waiter = { client: stranger, maxWaitTime: 600, minDelay: 0.1, maxDelay: 0.5 };
      await waitUntilFunctionActiveV2(waiter, { FunctionName });
      const got = await stranger.send(new GetFunctionCommand({ FunctionName }));
      // Of the image itself: its size and digest, which the caller knows.
      const known = { CodeSize: 0, CodeSha256: '', Code: '', RevisionId: '', LastModified: '' };
      const { $metadata: _, ...answer } = { ...created, ...known };
      seen.push(
        JSON.stringify([answer, { ...got.Configuration, ...known }]).replaceAll(FunctionName, 'g'),
      );
    }
    assert.equal(seen[0], seen[1]);
  });

  test('an update serves the old code until the new is ready, then the new', async () => {
    await create('updated');
    const other = await buildTestImage(join(scratch.path, 'other'), {
      'var/task/handler.mjs': 'export const handler = async () => "new";',
    });
    await client.send(new UpdateFunctionCodeCommand({ FunctionName: 'updated', ImageUri: other }));
    await waitUntilFunctionUpdatedV2(
      { client, maxWaitTime: 600, minDelay: 0.1, maxDelay: 0.5 },
      { FunctionName: 'updated' },
    );
    assert.equal((await invoke('updated', {})).body, 'new');
    await client.send(new DeleteFunctionCommand({ FunctionName: 'updated' }));
    await assert.rejects(invoke('updated', {}), { name: 'ResourceNotFoundException' });
  });

  test('an image that cannot be read ends in State Failed with the cause, and is not invoked', async () => {
    const missing = `oci:${join(scratch.path, 'nothing-here')}:latest`;
    await client.send(
      new CreateFunctionCommand({
        FunctionName: 'broken',
        PackageType: 'Image',
        Code: { ImageUri: missing },
        Role: 'arn:aws:iam::000000000000:role/any',
      }),
    );
    await assert.rejects(
      waitUntilFunctionActiveV2(
        { client, maxWaitTime: 600, minDelay: 0.1, maxDelay: 0.5 },
        { FunctionName: 'broken' },
      ),
    );
    const { Configuration } = await client.send(new GetFunctionCommand({ FunctionName: 'broken' }));
    assert.equal(Configuration?.State, 'Failed');
    assert.match(Configuration?.StateReason ?? '', /nothing-here/);
    await client.send(new DeleteFunctionCommand({ FunctionName: 'broken' }));
  });
});
