import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import * as sdk from '@aws-sdk/client-lambda';
import type { IdentityPolicy } from '../accounts/mod.ts';
import { allOperations } from './operations/all.ts';
import type { Services } from './services.ts';
import { owner, REGION, startFrontend, stranger } from './testing/harness.fixture.ts';
import { createActive, refusal } from './testing/lambda.fixture.ts';
import { call } from './testing/raw-http.fixture.ts';

const FunctionName = 'f';
const arn = `arn:aws:lambda:${REGION}:000000000000:function:f`;

async function withFunction(t: TestContext) {
  const harness = await startFrontend(t);
  const lambda = harness.client();
  await createActive(lambda);
  return { ...harness, lambda };
}

test('reserved concurrency: put, get, in force, switched off, deleted', async (t) => {
  const { lambda, invoker } = await withFunction(t);
  await createActive(lambda, { FunctionName: 'g' });
  const put = (name: string, ReservedConcurrentExecutions: number) =>
    lambda.send(
      new sdk.PutFunctionConcurrencyCommand({ FunctionName: name, ReservedConcurrentExecutions }),
    );
  assert.equal((await put('f', 5)).ReservedConcurrentExecutions, 5);
  await put('g', 100);
  await lambda.send(new sdk.InvokeCommand({ FunctionName }));
  const allowance = { account: 1000, reservedTotal: 105, reserved: 5 };
  assert.deepEqual(invoker.requests.at(-1)?.allowance, allowance);
  const got = await lambda.send(new sdk.GetFunctionCommand({ FunctionName }));
  assert.equal(got.Concurrency?.ReservedConcurrentExecutions, 5);
  const settings = await lambda.send(new sdk.GetAccountSettingsCommand({}));
  assert.equal(settings.AccountLimit?.UnreservedConcurrentExecutions, 895);
  await put('f', 800);
  assert.deepEqual(await refusal(put('f', 801)), {
    name: 'InvalidParameterValueException',
    status: 400,
    message:
      "Specified ReservedConcurrentExecutions for function decreases account's " +
      'UnreservedConcurrentExecution below its minimum value of [100].',
  });
  await put('f', 0);
  assert.deepEqual(await refusal(lambda.send(new sdk.InvokeCommand({ FunctionName }))), {
    name: 'TooManyRequestsException',
    status: 429,
    message: 'Rate Exceeded.',
    Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
  });
  await lambda.send(new sdk.DeleteFunctionConcurrencyCommand({ FunctionName }));
  const none = await lambda.send(new sdk.GetFunctionConcurrencyCommand({ FunctionName }));
  assert.equal(none.ReservedConcurrentExecutions, undefined);
  await lambda.send(new sdk.InvokeCommand({ FunctionName }));
  assert.deepEqual(invoker.requests.at(-1)?.allowance, { account: 1000, reservedTotal: 100 });
  assert.match((await refusal(put('f:$LATEST', 1))).message, /^This operation is permitted on/);
  assert.equal((await refusal(put('x:$LATEST', 1))).status, 404);
});

test('provisioned concurrency: of versions and aliases, within the reservation', async (t) => {
  const { lambda, provisioner } = await withFunction(t);
  await lambda.send(new sdk.PublishVersionCommand({ FunctionName }));
  await lambda.send(
    new sdk.CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '1' }),
  );
  const put = (Qualifier: string, ProvisionedConcurrentExecutions: number) =>
    lambda.send(
      new sdk.PutProvisionedConcurrencyConfigCommand({
        ...{ FunctionName, Qualifier, ProvisionedConcurrentExecutions },
      }),
    );
  const made = await put('live', 3);
  assert.equal(made.$metadata.httpStatusCode, 202);
  assert.equal(made.RequestedProvisionedConcurrentExecutions, 3);
  assert.equal(provisioner.counts.get(`${arn}:1`), 3);
  const query = { FunctionName, Qualifier: 'live' };
  const got = await lambda.send(new sdk.GetProvisionedConcurrencyConfigCommand(query));
  assert.equal(got.Status, 'READY');
  const listed = await lambda.send(
    new sdk.ListProvisionedConcurrencyConfigsCommand({ FunctionName }),
  );
  assert.equal(listed.ProvisionedConcurrencyConfigs?.[0]?.FunctionArn, `${arn}:live`);
  const word = async (work: Promise<unknown>) => (await refusal(work)).message;
  assert.equal(await word(put('1', 1)), 'Version is pointed by a Provisioned Concurrency alias');
  assert.match(await word(put('$LATEST', 1)), /cannot be applied to unpublished function versions/);
  assert.equal(await word(put('no', 1)), `Cannot find alias arn: ${arn}:no`);
  assert.match(await word(put('live', 0)), /'provisionedConcurrentExecutions' failed to satisfy/);
  assert.equal(
    await word(put('live', 2000)),
    "Specified ConcurrentExecutions for function is greater than account's unreserved " +
      'concurrency [1000].',
  );
  const reserve = (count: number) =>
    lambda.send(
      new sdk.PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions: count }),
    );
  assert.equal(
    await word(reserve(2)),
    " ReservedConcurrentExecutions 2 should not be lower than function's total provisioned " +
      'concurrency [3].',
  );
  await reserve(4);
  assert.match(await word(put('live', 5)), /^Requested Provisioned Concurrency should not be/);
  await lambda.send(new sdk.DeleteProvisionedConcurrencyConfigCommand(query));
  assert.equal(provisioner.counts.get(`${arn}:1`), 0);
  assert.deepEqual(
    await refusal(lambda.send(new sdk.GetProvisionedConcurrencyConfigCommand(query))),
    {
      name: 'ProvisionedConcurrencyConfigNotFoundException',
      status: 404,
      message: 'No Provisioned Concurrency Config found for this function',
    },
  );
});

test('tags: set, added to, taken away, limited, on functions only', async (t) => {
  const { lambda } = await withFunction(t);
  const tag = (Tags: Record<string, string>, Resource = arn) =>
    lambda.send(new sdk.TagResourceCommand({ Resource, Tags }));
  await tag({ a: '1', b: '2' });
  await tag({ b: '3', 'c d': 'é' });
  await lambda.send(new sdk.UntagResourceCommand({ Resource: arn, TagKeys: ['a', 'x'] }));
  const listed = await lambda.send(new sdk.ListTagsCommand({ Resource: arn }));
  assert.deepEqual(listed.Tags, { b: '3', 'c d': 'é' });
  const many = Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`k${i}`, 'v']));
  assert.equal((await refusal(tag(many))).message, 'Number of tags exceeds resource tag limit.');
  assert.match((await refusal(tag({ a: '1' }, `${arn}:1`))).message, /^Tags on function aliases/);
  assert.equal((await refusal(tag({ a: '1' }, `${arn}x`))).status, 404);
  const something = await refusal(tag({ a: '1' }, 'arn:aws:something'));
  assert.match(something.message, /Value 'arn:aws:something' at 'resource' failed to satisfy/);
});

test('permissions: statements as the service writes them, added and removed', async (t) => {
  const { lambda } = await withFunction(t);
  const add = (input: Partial<sdk.AddPermissionCommandInput>) =>
    lambda.send(
      new sdk.AddPermissionCommand({
        ...{ FunctionName, StatementId: 's1', Action: 'lambda:InvokeFunction' },
        Principal: 's3.amazonaws.com',
        ...input,
      }),
    );
  const before = await refusal(lambda.send(new sdk.GetPolicyCommand({ FunctionName })));
  assert.equal(before.status, 404);
  const made = await add({ SourceArn: 'arn:aws:s3:::b', SourceAccount: '123456789012' });
  const statement = {
    ...{ Sid: 's1', Effect: 'Allow', Principal: { Service: 's3.amazonaws.com' } },
    ...{ Action: 'lambda:InvokeFunction', Resource: arn },
    Condition: {
      StringEquals: { 'AWS:SourceAccount': '123456789012' },
      ArnLike: { 'AWS:SourceArn': 'arn:aws:s3:::b' },
    },
  };
  assert.deepEqual(JSON.parse(made.Statement ?? ''), statement);
  const got = await lambda.send(new sdk.GetPolicyCommand({ FunctionName }));
  const policy = { Version: '2012-10-17', Id: 'default', Statement: [statement] };
  assert.deepEqual(JSON.parse(got.Policy ?? ''), policy);
  assert.match(
    (await refusal(add({}))).message,
    /^The statement id \(s1\) provided already exists/,
  );
  const stale = await refusal(add({ StatementId: 's2', RevisionId: 'stale' }));
  assert.match(stale.message, /Call the GetPolicy API/);
  assert.match((await refusal(add({ Principal: 'no good' }))).name, /ValidationException/);
  assert.match((await refusal(add({ Principal: 'nobody' }))).message, /principal was invalid/);
  const latest = await refusal(add({ Qualifier: '$LATEST' }));
  assert.equal(latest.message, 'We currently do not support adding policies for $LATEST.');
  assert.equal((await refusal(add({ Qualifier: '42' }))).message, `Function not found: ${arn}:42`);
  const remove = (StatementId: string) =>
    lambda.send(new sdk.RemovePermissionCommand({ FunctionName, StatementId }));
  const missing = await refusal(remove('non-existent'));
  assert.equal(missing.message, 'Statement non-existent is not found in resource policy.');
  await remove('s1');
  assert.equal(
    (await refusal(lambda.send(new sdk.GetPolicyCommand({ FunctionName })))).status,
    404,
  );
});

test('a resource policy lets another account invoke and nothing else', async (t) => {
  const { lambda, client } = await withFunction(t);
  const other = client(stranger);
  const invoke = () => other.send(new sdk.InvokeCommand({ FunctionName: arn }));
  assert.equal((await refusal(invoke())).name, 'AccessDeniedException');
  await lambda.send(
    new sdk.AddPermissionCommand({
      ...{ FunctionName, StatementId: 's', Action: 'lambda:InvokeFunction' },
      Principal: stranger.accountId,
    }),
  );
  assert.equal((await invoke()).StatusCode, 200);
  const get = other.send(new sdk.GetFunctionCommand({ FunctionName: arn }));
  assert.equal((await refusal(get)).name, 'AccessDeniedException');
});

test('event invoke configuration: put, merged, read, listed, deleted, refused', async (t) => {
  const { lambda, queues } = await withFunction(t);
  await createActive(lambda, { FunctionName: 'g' });
  const destination = `${arn.slice(0, -1)}g`;
  const put = (input: Partial<sdk.PutFunctionEventInvokeConfigCommandInput>) =>
    lambda.send(new sdk.PutFunctionEventInvokeConfigCommand({ FunctionName, ...input }));
  const made = await put({ MaximumRetryAttempts: 1, MaximumEventAgeInSeconds: 60 });
  assert.equal(made.FunctionArn, `${arn}:$LATEST`);
  assert.ok(made.LastModified instanceof Date && made.LastModified.getTime() > 1.7e12);
  assert.deepEqual(made.DestinationConfig, { OnSuccess: {}, OnFailure: {} });
  const DestinationConfig = { OnFailure: { Destination: destination } };
  const merged = await lambda.send(
    new sdk.UpdateFunctionEventInvokeConfigCommand({ FunctionName, DestinationConfig }),
  );
  assert.equal(merged.MaximumRetryAttempts, 1);
  assert.equal(merged.DestinationConfig?.OnFailure?.Destination, destination);
  const listed = await lambda.send(new sdk.ListFunctionEventInvokeConfigsCommand({ FunctionName }));
  assert.equal(listed.FunctionEventInvokeConfigs?.length, 1);
  const word = async (work: Promise<unknown>) => (await refusal(work)).message;
  assert.equal(
    await word(put({})),
    'You must specify at least one of error handling or destination setting.',
  );
  const to = (Destination: string) =>
    word(put({ DestinationConfig: { OnSuccess: { Destination } } }));
  assert.equal(await to(arn), "You can't specify the function as a destination for itself.");
  assert.equal(await to(`${arn}nothing`), `The destination ARN ${arn}nothing is invalid.`);
  const iam = 'arn:aws:iam:us-east-1:000000000000:function:f';
  assert.equal(
    await to(iam),
    `The provided destination config DestinationConfig(onSuccess=OnSuccess(destination=${iam}), ` +
      'onFailure=null) is invalid.',
  );
  assert.match(await to('arn:aws:sns:us-east-1:000000000000:t'), /is invalid\.$/);
  const queue = `arn:aws:sqs:${REGION}:000000000000:q`;
  queues.visibilityTimeoutSeconds.set(queue, 30);
  for (const bad of [`${queue}-absent`, queue.replace('000000000000', stranger.accountId)]) {
    assert.equal(await to(bad), `The destination ARN ${bad} is invalid.`);
  }
  for (const Destination of ['directory:done', 'http://localhost:1/000000000000/q', queue]) {
    await put({ DestinationConfig: { OnSuccess: { Destination } } });
  }
  assert.match(await to('directory:../up'), /failed to satisfy constraint/);
  assert.match(await word(put({ MaximumRetryAttempts: 3 })), /'maximumRetryAttempts' failed/);
  await lambda.send(new sdk.DeleteFunctionEventInvokeConfigCommand({ FunctionName }));
  assert.equal(
    await word(lambda.send(new sdk.GetFunctionEventInvokeConfigCommand({ FunctionName }))),
    `The function ${arn}:$LATEST doesn't have an EventInvokeConfig`,
  );
});

test('an Event invoke answers 202 once it is queued, and not before', async (t) => {
  const { lambda, events, invoker } = await withFunction(t);
  const send = (name: string) =>
    lambda.send(
      new sdk.InvokeCommand({ FunctionName: name, InvocationType: 'Event', Payload: '{"a":1}' }),
    );
  const answer = await send('f');
  assert.equal(answer.StatusCode, 202);
  assert.equal(answer.Payload?.length ?? 0, 0);
  assert.equal(answer.ExecutedVersion, undefined);
  assert.equal(events.events[0]?.requestId, answer.$metadata.requestId);
  assert.equal(events.events[0]?.payload.toString(), '{"a":1}');
  assert.equal(invoker.requests.length, 0);
  assert.equal((await refusal(send('nothing'))).status, 404);
  events.failure = new Error('disk');
  assert.equal((await refusal(send('f'))).status, 500);
  const large = new sdk.InvokeCommand({
    ...{ FunctionName, InvocationType: 'Event', Payload: Buffer.alloc(1024 * 1024 + 1, '1') },
  });
  assert.equal((await refusal(lambda.send(large))).name, 'RequestTooLargeException');
});

test('InvokeAsync, the old form of an Event invoke, queues the same', async (t) => {
  const { lambda, events } = await withFunction(t);
  const send = (name: string, InvokeArgs: string) =>
    lambda.send(new sdk.InvokeAsyncCommand({ FunctionName: name, InvokeArgs }));
  assert.equal((await send('f', '{"a":1}')).Status, 202);
  assert.equal(events.events[0]?.payload.toString(), '{"a":1}');
  assert.equal((await refusal(send('nothing', '{}'))).status, 404);
  assert.equal((await refusal(send('f', 'not JSON'))).name, 'InvalidRequestContentException');
  events.failure = new Error('disk');
  assert.equal((await refusal(send('f', '{}'))).status, 500);
  assert.equal(events.events.length, 1);
});

test('what deploy tools read on every refresh has an answer', async (t) => {
  const { lambda } = await withFunction(t);
  const signing = new sdk.GetFunctionCodeSigningConfigCommand({ FunctionName });
  assert.equal((await lambda.send(signing)).FunctionName, 'f');
  const runtime = new sdk.GetRuntimeManagementConfigCommand({ FunctionName });
  assert.equal((await lambda.send(runtime)).UpdateRuntimeOn, 'Auto');
  const mappings = await lambda.send(new sdk.ListEventSourceMappingsCommand({}));
  assert.deepEqual(mappings.EventSourceMappings, []);
  const stream = new sdk.CreateEventSourceMappingCommand({
    FunctionName,
    EventSourceArn: 'arn:aws:kinesis:us-east-1:000000000000:stream/s',
  });
  const refused = await refusal(lambda.send(stream));
  assert.equal(refused.name, 'InvalidParameterValueException');
});

const allow = (Action: string, Resource: string): IdentityPolicy => ({
  Statement: [{ Effect: 'Allow', Action, Resource }],
});

test('a key with policies may do only what they allow', async (t) => {
  const { credentials, client } = await withFunction(t);
  const limited = {
    ...owner,
    accessKeyId: 'AKIALIMITED',
    principalArn: 'arn:aws:iam::000000000000:user/u',
    policies: [
      allow('lambda:Invoke*', `${arn}*`),
      { Statement: { Effect: 'Deny' as const, Action: '*', Resource: `${arn}:secret` } },
    ],
  };
  credentials.all.set(limited.accessKeyId, limited);
  const lambda = client(limited);
  assert.equal((await lambda.send(new sdk.InvokeCommand({ FunctionName }))).StatusCode, 200);
  const get = await refusal(lambda.send(new sdk.GetFunctionCommand({ FunctionName })));
  assert.deepEqual(get, {
    name: 'AccessDeniedException',
    status: 403,
    message:
      'User: arn:aws:iam::000000000000:user/u is not authorized to perform: lambda:GetFunction ' +
      `on resource: ${arn} because no identity-based policy allows the lambda:GetFunction action`,
  });
  const secret = new sdk.InvokeCommand({ FunctionName, Qualifier: 'secret' });
  assert.match((await refusal(lambda.send(secret))).message, /explicit deny/);
});

test('a function’s policy may name a user of its own account, who is still stopped by a deny', async (t) => {
  const { lambda, credentials, client } = await withFunction(t);
  const userArn = 'arn:aws:iam::000000000000:user/guest';
  const guest = (policies: IdentityPolicy[]) => {
    const key = { ...owner, accessKeyId: 'AKIAGUEST', principalArn: userArn, policies };
    credentials.all.set(key.accessKeyId, key);
    return client(key).send(new sdk.InvokeCommand({ FunctionName }));
  };
  const permit = (StatementId: string, Principal: string) =>
    lambda.send(
      new sdk.AddPermissionCommand({
        ...{ FunctionName, StatementId, Principal, Action: 'lambda:InvokeFunction' },
      }),
    );
  await permit('account', '000000000000');
  assert.match((await refusal(guest([]))).message, /no identity-based policy allows/);
  await permit('user', userArn);
  assert.equal((await guest([])).StatusCode, 200);
  const deny = { Statement: { Effect: 'Deny' as const, Action: '*', Resource: '*' } };
  assert.match((await refusal(guest([deny]))).message, /explicit deny/);
});

test('no operation can be called with a key that nothing is allowed to', async (t) => {
  const { credentials, port } = await withFunction(t);
  const nothing = { ...owner, accessKeyId: 'AKIANOTHING', policies: [] };
  credentials.all.set(nothing.accessKeyId, nothing);
  const operations = allOperations({} as Services);
  assert.ok(operations.length > 30);
  const bodies: Record<string, string> = {
    CreateFunction: JSON.stringify({
      ...{ FunctionName: 'x', Role: 'arn:aws:iam::000000000000:role/r', Code: {} },
    }),
    CreateEventSourceMapping: JSON.stringify({ FunctionName: 'x' }),
  };
  for (const { name, method, path } of operations) {
    const filled = path
      .replace(':FunctionName', 'f')
      .replace(':Resource', encodeURIComponent(arn))
      .replace(/:VersionNumber/, '1')
      .replace(/:\w+/g, 'x');
    const request = { method, path: filled, ...(bodies[name] ? { body: bodies[name] } : {}) };
    const answer = await call(port, request, { credential: nothing });
    assert.equal(
      answer.headers['x-amzn-errortype'],
      'AccessDeniedException',
      `${name} ${answer.body}`,
    );
    assert.equal(answer.status, 403, name);
  }
});
