import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type CreateFunctionCommandInput,
  DeleteFunctionCommand,
  GetAccountSettingsCommand,
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  ListFunctionsCommand,
  paginateListFunctions,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionActiveV2,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';
import { IMAGE, REGION, startFrontend, stranger } from './testing/harness.fixture.ts';
import { create, createActive, refusal } from './testing/lambda.fixture.ts';
import { call } from './testing/raw-http.fixture.ts';

const arnOf = (name: string) => `arn:aws:lambda:${REGION}:000000000000:function:${name}`;

const text = (payload: Uint8Array | undefined) => Buffer.from(payload ?? []).toString();

test('create, wait, get, invoke, delete, with the stock SDK', async (t) => {
  const { client, invoker } = await startFrontend(t);
  const lambda = client();
  const created = await create(lambda, {
    Timeout: 7,
    Environment: { Variables: { COLOUR: 'blue' } },
    ImageConfig: { Command: ['app.handler'] },
    Tags: { team: 'a' },
  });
  assert.equal(created.$metadata.httpStatusCode, 201);
  assert.equal(created.State, 'Pending');
  assert.equal(created.StateReasonCode, 'Creating');
  assert.equal(created.FunctionArn, arnOf('f'));
  assert.equal(created.Timeout, 7);
  assert.equal(created.MemorySize, 128);
  assert.match(created.LastModified ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/);
  const waiter = { client: lambda, maxWaitTime: 600, minDelay: 0.02, maxDelay: 0.05 };
  await waitUntilFunctionActiveV2(waiter, { FunctionName: 'f' });
  const got = await lambda.send(new GetFunctionCommand({ FunctionName: 'f' }));
  assert.equal(got.Configuration?.State, 'Active');
  assert.equal(got.Configuration?.LastUpdateStatus, 'Successful');
  assert.deepEqual(got.Configuration?.ImageConfigResponse?.ImageConfig?.Command, ['app.handler']);
  assert.equal(got.Code?.ImageUri, IMAGE);
  assert.match(got.Code?.ResolvedImageUri ?? '', /^localhost:5000\/hello@sha256:[0-9a-f]{64}$/);
  assert.deepEqual(got.Tags, { team: 'a' });
  assert.notEqual(got.Configuration?.RevisionId, created.RevisionId);

  const answer = await lambda.send(new InvokeCommand({ FunctionName: 'f', Payload: '{"a":[1]}' }));
  assert.equal(answer.StatusCode, 200);
  assert.equal(answer.ExecutedVersion, '$LATEST');
  assert.equal(text(answer.Payload), '{"a":[1]}');
  const seen = invoker.requests[0];
  assert.equal(seen?.requestId, answer.$metadata.requestId);
  assert.equal(seen?.invokedFunctionArn, arnOf('f'));
  assert.equal(seen?.version.arn, `${arnOf('f')}:$LATEST`);
  assert.deepEqual(seen?.version.configuration.environment, { COLOUR: 'blue' });

  await lambda.send(new DeleteFunctionCommand({ FunctionName: 'f' }));
  assert.deepEqual(invoker.drained, [`${arnOf('f')}:$LATEST`]);
  const gone = await refusal(lambda.send(new GetFunctionCommand({ FunctionName: 'f' })));
  assert.deepEqual(gone, {
    name: 'ResourceNotFoundException',
    status: 404,
    message: `Function not found: ${arnOf('f')}`,
  });
});

test('an install that fails ends in Failed with the cause; the function cannot be invoked', async (t) => {
  const { client } = await startFrontend(t);
  const lambda = client();
  await create(lambda, { Code: { ImageUri: 'localhost:5000/missing:1' } });
  const read = () => lambda.send(new GetFunctionConfigurationCommand({ FunctionName: 'f' }));
  let got = await read();
  for (let i = 0; i < 100 && got.State === 'Pending'; i++) got = await read();
  assert.equal(got.State, 'Failed');
  assert.equal(got.StateReasonCode, 'ImageDeleted');
  assert.equal(got.StateReason, 'localhost:5000/missing:1: no such image');
  const refused = await refusal(lambda.send(new InvokeCommand({ FunctionName: 'f' })));
  assert.equal(refused.name, 'ResourceConflictException');
  assert.match(refused.message, /following state: Failed$/);
});

test('an image with nothing to run ends in Failed, unless the function says what to run', async (t) => {
  const { client } = await startFrontend(t);
  const lambda = client();
  const settled = async (name: string, more: object) => {
    await create(lambda, {
      FunctionName: name,
      Code: { ImageUri: 'localhost:5000/idle:1' },
      ...more,
    });
    const read = () => lambda.send(new GetFunctionConfigurationCommand({ FunctionName: name }));
    let got = await read();
    for (let i = 0; i < 100 && got.State === 'Pending'; i++) got = await read();
    return got;
  };
  const failed = await settled('idle', {});
  assert.equal(failed.State, 'Failed');
  assert.equal(failed.StateReasonCode, 'InvalidImage');
  assert.match(failed.StateReason ?? '', /^localhost:5000\/idle@sha256:.*no ENTRYPOINT and no CMD/);
  const told = await settled('told', { ImageConfig: { EntryPoint: ['/bin/run'] } });
  assert.equal(told.State, 'Active');
});

test('what is to be known of code is in the configuration as Warnings, which stock clients pass over', async (t) => {
  const { client, port } = await startFrontend(t);
  const lambda = client();
  await createActive(lambda, { FunctionName: 'odd', Code: { ImageUri: 'localhost:5000/odd:1' } });
  await createActive(lambda, { FunctionName: 'plain' });
  const got = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: 'odd' }));
  assert.equal(got.State, 'Active');
  const read = async (name: string, rest = '') => {
    const path = `/2015-03-31/functions/${name}${rest}`;
    return JSON.parse((await call(port, { method: 'GET', path })).body);
  };
  assert.deepEqual((await read('odd', '/configuration')).Warnings, ['config: odd']);
  assert.deepEqual((await read('odd')).Configuration.Warnings, ['config: odd']);
  assert.equal('Warnings' in (await read('plain', '/configuration')), false);
});

test('while an update installs, the old code serves and further updates wait', async (t) => {
  const { client, installer, invoker } = await startFrontend(t);
  const lambda = client();
  await createActive(lambda);
  let open = () => {};
  installer.gate = new Promise((resolve) => {
    open = resolve;
  });
  const updating = await lambda.send(
    new UpdateFunctionCodeCommand({ FunctionName: 'f', ImageUri: 'localhost:5000/hello:2' }),
  );
  assert.equal(updating.LastUpdateStatus, 'InProgress');
  assert.equal(updating.State, 'Active');
  await lambda.send(new InvokeCommand({ FunctionName: 'f' }));
  const old = invoker.requests.at(-1)?.version;
  const second = await refusal(
    lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'f', Timeout: 9 })),
  );
  assert.deepEqual(second, {
    name: 'ResourceConflictException',
    status: 409,
    message:
      'The operation cannot be performed at this time. An update is in progress for resource: ' +
      arnOf('f'),
  });
  open();
  const waiter = { client: lambda, maxWaitTime: 600, minDelay: 0.02, maxDelay: 0.05 };
  await waitUntilFunctionUpdatedV2(waiter, { FunctionName: 'f' });
  await lambda.send(new InvokeCommand({ FunctionName: 'f' }));
  const fresh = invoker.requests.at(-1)?.version;
  assert.notEqual(fresh?.servingId, old?.servingId);
  assert.notEqual(fresh?.code.manifestId, old?.code.manifestId);
  assert.deepEqual(invoker.drained, [`${arnOf('f')}:$LATEST`]);
});

test('an update with a stale revision id is refused', async (t) => {
  const { client } = await startFrontend(t);
  const lambda = client();
  await createActive(lambda);
  const refused = await refusal(
    lambda.send(
      new UpdateFunctionConfigurationCommand({
        FunctionName: 'f',
        Timeout: 9,
        RevisionId: '6a1b9b1e-0000-4000-8000-000000000000',
      }),
    ),
  );
  assert.equal(refused.name, 'PreconditionFailedException');
  assert.equal(refused.status, 412);
});

test('a configuration update replaces what it names and keeps the rest', async (t) => {
  const { client, installer } = await startFrontend(t);
  const lambda = client();
  await createActive(lambda, { Timeout: 5, Description: 'd' });
  await lambda.send(
    new UpdateFunctionConfigurationCommand({
      FunctionName: 'f',
      MemorySize: 512,
      Environment: { Variables: { BB: 'c' } },
    }),
  );
  const waiter = { client: lambda, maxWaitTime: 600, minDelay: 0.02, maxDelay: 0.05 };
  await waitUntilFunctionUpdatedV2(waiter, { FunctionName: 'f' });
  const got = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: 'f' }));
  assert.equal(got.MemorySize, 512);
  assert.equal(got.Timeout, 5);
  assert.equal(got.Description, 'd');
  assert.deepEqual(got.Environment?.Variables, { BB: 'c' });
  assert.equal(installer.requests.length, 1, 'the code is not installed again');
});

test('create refuses what is not right, in the words of the service', async (t) => {
  const { client } = await startFrontend(t);
  const lambda = client();
  const table: [Partial<CreateFunctionCommandInput>, string, string][] = [
    [
      { Role: 'r1' },
      'ValidationException',
      "1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: Member " +
        'must satisfy regular expression pattern: ' +
        'arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+',
    ],
    [
      { Architectures: ['X86_64' as 'x86_64'] },
      'ValidationException',
      "1 validation error detected: Value '[X86_64]' at 'architectures' failed to satisfy " +
        'constraint: Member must satisfy constraint: [Member must satisfy enum value set: ' +
        '[x86_64, arm64], Member must not be null]',
    ],
    [
      { Architectures: ['x86_64', 'arm64'] },
      'ValidationException',
      "1 validation error detected: Value '[x86_64, arm64]' at 'architectures' failed to " +
        'satisfy constraint: Member must have length less than or equal to 1',
    ],
    [
      { MemorySize: 1, Timeout: 0 },
      'ValidationException',
      "2 validation errors detected: Value '0' at 'timeout' failed to satisfy constraint: Member " +
        "must have value greater than or equal to 1; Value '1' at 'memorySize' failed to satisfy " +
        'constraint: Member must have value greater than or equal to 128',
    ],
    [
      { FunctionName: 'a'.repeat(65) },
      'InvalidParameterValueException',
      `1 validation error detected: Value '${'a'.repeat(65)}' at 'functionName' failed to satisfy ` +
        'constraint: Member must have length less than or equal to 64',
    ],
    [
      { Environment: { Variables: { LARGE: 'x'.repeat(4096) } } },
      'InvalidParameterValueException',
      'Lambda was unable to configure your environment variables because the environment ' +
        'variables you have provided exceeded the 4KB limit. String measured: ' +
        `{"LARGE":"${'x'.repeat(4096)}"}`,
    ],
    [
      { Handler: 'a.b' },
      'InvalidParameterValueException',
      "Please don't provide Handler or Runtime or Layer when the intended function PackageType " +
        'is IMAGE.',
    ],
  ];
  for (const [input, name, message] of table) {
    assert.deepEqual(await refusal(create(lambda, input)), { name, status: 400, message });
  }
  await create(lambda);
  assert.deepEqual(await refusal(create(lambda)), {
    name: 'ResourceConflictException',
    status: 409,
    message: 'Function already exist: f',
  });
});

test('names, partial ARNs, ARNs and qualifiers point to the same function', async (t) => {
  const { client, invoker } = await startFrontend(t);
  const lambda = client();
  await createActive(lambda);
  for (const name of ['f', 'function:f', '000000000000:function:f', arnOf('f')]) {
    const got = await lambda.send(new GetFunctionCommand({ FunctionName: name }));
    assert.equal(got.Configuration?.FunctionArn, arnOf('f'), name);
  }
  const latest = new GetFunctionCommand({ FunctionName: `${arnOf('f')}:$LATEST` });
  assert.equal((await lambda.send(latest)).Configuration?.FunctionArn, `${arnOf('f')}:$LATEST`);
  await lambda.send(new InvokeCommand({ FunctionName: 'f', Qualifier: '$LATEST' }));
  assert.equal(invoker.requests[0]?.invokedFunctionArn, `${arnOf('f')}:$LATEST`);
  const get = (FunctionName: string, Qualifier?: string) =>
    refusal(lambda.send(new GetFunctionCommand({ FunctionName, Qualifier })));
  assert.deepEqual(await get('f:1', '2'), {
    name: 'InvalidParameterValueException',
    status: 400,
    message: 'The derived qualifier from the function name does not match the specified qualifier.',
  });
  assert.deepEqual(await get('arn:aws:lambda:eu-west-1:000000000000:function:f'), {
    name: 'ResourceNotFoundException',
    status: 404,
    message: `Functions from 'eu-west-1' are not reachable in this region ('${REGION}')`,
  });
  assert.equal((await get('f', '7')).message, `Function not found: ${arnOf('f')}:7`);
  assert.equal((await get('invalid:function:name')).name, 'ValidationException');
});

test('another account sees nothing, whether it exists or not', async (t) => {
  const { client } = await startFrontend(t);
  await createActive(client());
  const other = client(stranger);
  const invoke = (name: string) =>
    refusal(other.send(new InvokeCommand({ FunctionName: arnOf(name) })));
  const there = await invoke('f');
  const notThere = await invoke('g');
  assert.equal(there.name, 'AccessDeniedException');
  assert.equal(there.status, 403);
  assert.equal(there.message.replaceAll(':f ', ':g '), notThere.message);
  const listed = await other.send(new ListFunctionsCommand({}));
  assert.deepEqual(listed.Functions, []);
  const byName = await refusal(other.send(new GetFunctionCommand({ FunctionName: 'f' })));
  assert.equal(byName.status, 404);
});

test('list pages go on from the marker, and the account is counted', async (t) => {
  const { client } = await startFrontend(t);
  const lambda = client();
  const names = Array.from({ length: 7 }, (_, index) => `f${index}`);
  for (const FunctionName of names) await createActive(lambda, { FunctionName });
  const listed: (string | undefined)[] = [];
  for await (const page of paginateListFunctions({ client: lambda, pageSize: 3 }, {})) {
    listed.push(...(page.Functions ?? []).map((each) => each.FunctionName));
    assert.ok((page.Functions ?? []).length <= 3);
  }
  assert.deepEqual(listed, names);
  const all = await lambda.send(new ListFunctionsCommand({ FunctionVersion: 'ALL' }));
  assert.equal(all.Functions?.[0]?.FunctionArn, `${arnOf('f0')}:$LATEST`);
  const settings = await lambda.send(new GetAccountSettingsCommand({}));
  assert.equal(settings.AccountUsage?.FunctionCount, 7);
  assert.equal(settings.AccountUsage?.TotalCodeSize, 7 * 123_456);
  assert.equal(settings.AccountLimit?.ConcurrentExecutions, 1000);
  const marker = await refusal(lambda.send(new ListFunctionsCommand({ Marker: 'nonsense' })));
  assert.equal(marker.name, 'InvalidParameterValueException');
});
