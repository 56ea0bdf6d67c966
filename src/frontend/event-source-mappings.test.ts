import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import * as sdk from '@aws-sdk/client-lambda';
import { SluiceError } from '../base/mod.ts';
import { owner, REGION, startFrontend, stranger } from './testing/harness.fixture.ts';
import { create, createActive, refusal } from './testing/lambda.fixture.ts';
import { settleMapping } from './testing/settle.fixture.ts';

const queueArn = (name: string, accountId = owner.accountId) =>
  `arn:aws:sqs:${REGION}:${accountId}:${name}`;
const EventSourceArn = queueArn('q');

async function setUp(t: TestContext) {
  const harness = await startFrontend(t);
  const lambda = harness.client();
  await createActive(lambda);
  for (const name of ['q', 'q2', 'q3', 'q.fifo']) {
    harness.queues.visibilityTimeoutSeconds.set(queueArn(name), 30);
  }
  const create = (input: Partial<sdk.CreateEventSourceMappingCommandInput> = {}, client = lambda) =>
    client.send(
      new sdk.CreateEventSourceMappingCommand({ FunctionName: 'f', EventSourceArn, ...input }),
    );
  const get = (UUID: string | undefined, client = lambda) =>
    client.send(new sdk.GetEventSourceMappingCommand({ UUID }));
  const update = (UUID: string | undefined, input: object) =>
    lambda.send(new sdk.UpdateEventSourceMappingCommand({ UUID, ...input }));
  const settle = async (UUID: string | undefined) => settleMapping(harness.mappings, UUID ?? '');
  const created = async (input: Partial<sdk.CreateEventSourceMappingCommandInput> = {}) => {
    const { UUID } = await create(input);
    await settle(UUID);
    return UUID;
  };
  return { ...harness, lambda, create, created, get, update, settle };
}

test('a mapping is created as AWS shows it, read, changed and deleted', async (t) => {
  const { lambda, create, get, update, settle } = await setUp(t);
  const { $metadata, ...created } = await create();
  assert.equal($metadata.httpStatusCode, 202);
  const { UUID, LastModified, ...shown } = created;
  assert.match(UUID ?? '', /^[0-9a-f-]{36}$/);
  assert.ok(LastModified && Math.abs(LastModified.getTime() - Date.now()) < 60_000);
  assert.deepEqual(shown, {
    BatchSize: 10,
    EventSourceArn,
    EventSourceMappingArn: `arn:aws:lambda:${REGION}:000000000000:event-source-mapping:${UUID}`,
    FunctionArn: `arn:aws:lambda:${REGION}:000000000000:function:f`,
    FunctionResponseTypes: [],
    MaximumBatchingWindowInSeconds: 0,
    State: 'Creating',
    StateTransitionReason: 'USER_INITIATED',
  });
  await settle(UUID);
  assert.equal((await get(UUID)).State, 'Enabled');

  const FilterCriteria = { Filters: [{ Pattern: '{"body":{"a":[1]}}' }] };
  const changed = await update(UUID, {
    ...{ BatchSize: 100, MaximumBatchingWindowInSeconds: 5, FilterCriteria },
    ScalingConfig: { MaximumConcurrency: 2 },
    FunctionResponseTypes: ['ReportBatchItemFailures'],
  });
  assert.deepEqual([changed.$metadata.httpStatusCode, changed.State], [202, 'Updating']);
  assert.deepEqual(changed.FilterCriteria, FilterCriteria);
  assert.deepEqual(changed.ScalingConfig, { MaximumConcurrency: 2 });
  assert.deepEqual(changed.FunctionResponseTypes, ['ReportBatchItemFailures']);
  await settle(UUID);
  const kept = await update(UUID, { Enabled: false });
  assert.deepEqual([kept.State, kept.BatchSize], ['Disabling', 100]);
  await settle(UUID);
  const empty = { FilterCriteria: {}, ScalingConfig: {}, FunctionResponseTypes: [] };
  const cleared = await update(UUID, { Enabled: true, ...empty });
  assert.equal(cleared.State, 'Enabling');
  assert.equal(cleared.FilterCriteria ?? cleared.ScalingConfig, undefined);
  assert.deepEqual(cleared.FunctionResponseTypes, []);
  await settle(UUID);

  const deleted = await lambda.send(new sdk.DeleteEventSourceMappingCommand({ UUID }));
  assert.deepEqual([deleted.$metadata.httpStatusCode, deleted.State], [202, 'Deleting']);
  await settle(UUID);
  const { name, status } = await refusal(get(UUID));
  assert.deepEqual([name, status], ['ResourceNotFoundException', 404]);
});

test('metrics and pollers of a mapping are kept and answered, though nothing here polls by them', async (t) => {
  const { created, get, update, settle } = await setUp(t);
  const MetricsConfig = { Metrics: [sdk.EventSourceMappingMetric.EventCount] };
  const ProvisionedPollerConfig = { MinimumPollers: 2, MaximumPollers: 5 };
  const UUID = await created({ MetricsConfig, ProvisionedPollerConfig });
  const shown = async () => {
    const mapping = await get(UUID);
    return [mapping.MetricsConfig, mapping.ProvisionedPollerConfig];
  };
  assert.deepEqual(await shown(), [MetricsConfig, ProvisionedPollerConfig]);
  await update(UUID, { BatchSize: 5 });
  await settle(UUID);
  assert.deepEqual(await shown(), [MetricsConfig, ProvisionedPollerConfig]);
  await update(UUID, { MetricsConfig: { Metrics: [] }, ProvisionedPollerConfig: {} });
  await settle(UUID);
  assert.deepEqual(await shown(), [undefined, undefined]);
});

test('a mapping that has not settled is in use', async (t) => {
  const { lambda, create, update } = await setUp(t);
  const { UUID } = await create();
  const expected = { name: 'ResourceInUseException', status: 400 };
  const message = (verb: string) => `Cannot ${verb} the event source mapping because it is in use.`;
  const updating = await refusal(update(UUID, { BatchSize: 1 }));
  assert.deepEqual(updating, { ...expected, message: message('update') });
  const deleting = lambda.send(new sdk.DeleteEventSourceMappingCommand({ UUID }));
  assert.deepEqual(await refusal(deleting), { ...expected, message: message('delete') });
});

test('refusals use AWS’s words', async (t) => {
  const { create, created, update, queues } = await setUp(t);
  const window =
    'Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10';
  const invalid: [Partial<sdk.CreateEventSourceMappingCommandInput>, RegExp][] = [
    [{ BatchSize: 11 }, new RegExp(`^${window}$`)],
    [{ EventSourceArn: queueArn('q.fifo'), MaximumBatchingWindowInSeconds: 1 }, /FIFO/],
    [{ FunctionName: 'absent' }, /^Function does not exist$/],
    [{ EventSourceArn: undefined }, /^Unrecognized event source\./],
    [{ EventSourceArn: 'arn:aws:kinesis:us-east-1:000000000000:stream/s' }, /Amazon SQS/],
    [{ EventSourceArn: 'arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/s' }, /supported/],
    [{ EventSourceArn: 'arn:aws:mq:us-east-1:000000000000:broker:b' }, /^Unrecognized event/],
    [{ StartingPosition: 'LATEST' }, /^StartingPosition is not valid for SQS event sources\.$/],
    [
      { DestinationConfig: { OnFailure: { Destination: queueArn('q2') } } },
      /^Unsupported DestinationConfig parameter for given event source mapping type\.$/,
    ],
    [{ MaximumRetryAttempts: 1 }, /^Unsupported MaximumRetryAttempts parameter/],
    [
      { FilterCriteria: { Filters: [{ Pattern: 'text' }] } },
      /^Invalid filter pattern definition\.$/,
    ],
    [
      { FilterCriteria: { Filters: [{ Pattern: '{"body":[{"wildcard":"*"}]}' }] } },
      /wildcard is not/,
    ],
    [{ FilterCriteria: { Filters: Array(6).fill({ Pattern: '{}' }) } }, /At most 5 filters/],
    [{ Tags: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [i, ''])) }, /tag limit/],
    [{ EventSourceArn: queueArn('absent') }, /NonExistentQueue/],
    [{ EventSourceArn: queueArn('q', stranger.accountId) }, /Access to the resource is denied/],
  ];
  for (const [input, pattern] of invalid) {
    const { name, status, message } = await refusal(create(input));
    assert.deepEqual([name, status], ['InvalidParameterValueException', 400], message);
    assert.match(message, pattern);
  }
  const validation: Partial<sdk.CreateEventSourceMappingCommandInput>[] = [
    { BatchSize: 0 },
    { BatchSize: 10_001 },
    { MaximumBatchingWindowInSeconds: 301 },
    { ScalingConfig: { MaximumConcurrency: 1 } },
    { FunctionResponseTypes: ['Other' as 'ReportBatchItemFailures'] },
    { EventSourceArn: 'not an arn' },
    { StartingPosition: '0' as 'LATEST' },
  ];
  for (const input of validation) {
    const { name, status } = await refusal(create(input));
    assert.deepEqual([name, status], ['ValidationException', 400], JSON.stringify(input));
  }
  queues.visibilityTimeoutSeconds.set(queueArn('q2'), 2);
  const { message } = await refusal(create({ EventSourceArn: queueArn('q2') }));
  const short = 'Queue visibility timeout: 2 seconds is less than Function timeout: 3 seconds';
  assert.equal(message, short);
  const UUID = await created();
  const late = await refusal(update(UUID, { BatchSize: 11 }));
  assert.equal(late.message, window);
  // Clients send empty structures for what they leave unset.
  await create({
    EventSourceArn: queueArn('q3'),
    DestinationConfig: { OnFailure: {} },
    Topics: [],
  });
});

test('a function is mapped to a queue once, an alias of it once more', async (t) => {
  const { lambda, create, created, update } = await setUp(t);
  const UUID = await created();
  const { name, status, message } = await refusal(create());
  assert.deepEqual([name, status], ['ResourceConflictException', 409]);
  assert.ok(message.includes(`mapping with UUID ${UUID}`), message);
  const { Version = '' } = await lambda.send(new sdk.PublishVersionCommand({ FunctionName: 'f' }));
  const alias = { FunctionName: 'f', Name: 'live', FunctionVersion: Version };
  await lambda.send(new sdk.CreateAliasCommand(alias));
  const aliased = await created({ FunctionName: 'f:live' });
  const moved = await refusal(update(aliased, { FunctionName: 'f' }));
  assert.equal(moved.name, 'ResourceConflictException');
  const toVersion = await update(aliased, { FunctionName: `f:${Version}` });
  assert.match(toVersion.FunctionArn ?? '', /:function:f:1$/);
  const absent = await refusal(create({ FunctionName: 'f:nobody' }));
  assert.equal(absent.name, 'ResourceNotFoundException');
});

test('mappings are listed by page, function and queue', async (t) => {
  const { lambda, create } = await setUp(t);
  await createActive(lambda, { FunctionName: 'g' });
  for (const name of ['q', 'q2', 'q3']) await create({ EventSourceArn: queueArn(name) });
  await create({ FunctionName: 'g' });
  const list = (input: sdk.ListEventSourceMappingsCommandInput) =>
    lambda.send(new sdk.ListEventSourceMappingsCommand(input));
  const first = await list({ MaxItems: 3 });
  assert.equal(first.EventSourceMappings?.length, 3);
  const rest = await list({ MaxItems: 3, Marker: first.NextMarker });
  assert.equal(rest.EventSourceMappings?.length, 1);
  assert.equal(rest.NextMarker, undefined);
  assert.equal((await list({ FunctionName: 'g' })).EventSourceMappings?.length, 1);
  assert.equal((await list({ EventSourceArn })).EventSourceMappings?.length, 2);
  const both = await list({ EventSourceArn, FunctionName: 'f' });
  assert.equal(both.EventSourceMappings?.length, 1);
});

test('another account can neither see, change nor make mappings of a function', async (t) => {
  const { client, create, created, get } = await setUp(t);
  const UUID = await created();
  const theirs = client(stranger);
  const unknown = '00000000-0000-4000-8000-000000000000';
  const forbidden = await refusal(get(UUID, theirs));
  assert.deepEqual(forbidden, await refusal(get(unknown, theirs)), 'as one that is not there');
  const removed = theirs.send(new sdk.DeleteEventSourceMappingCommand({ UUID }));
  assert.equal((await refusal(removed)).name, 'ResourceNotFoundException');
  const changed = theirs.send(new sdk.UpdateEventSourceMappingCommand({ UUID, BatchSize: 1 }));
  assert.equal((await refusal(changed)).name, 'ResourceNotFoundException');
  const listed = await theirs.send(new sdk.ListEventSourceMappingsCommand({}));
  assert.deepEqual(listed.EventSourceMappings, []);
  for (const name of ['f', 'absent']) {
    const FunctionName = `arn:aws:lambda:${REGION}:${owner.accountId}:function:${name}`;
    const made = await refusal(create({ FunctionName }, theirs));
    assert.equal(made.name, 'AccessDeniedException');
  }
});

test('policies name the mapping, and may ask for its function', async (t) => {
  const { client, credentials, create, created, get } = await setUp(t);
  const UUID = await created();
  const policyOf = (...Statement: object[]) => ({
    ...owner,
    accessKeyId: 'AKIAUSER',
    policies: [{ Statement: Statement as never }],
  });
  const as = (...statements: object[]) => {
    const credential = policyOf(...statements);
    credentials.all.set(credential.accessKeyId, credential);
    return client(credential);
  };
  const Resource = `arn:aws:lambda:${REGION}:*:event-source-mapping:*`;
  const Action = 'lambda:*EventSourceMapping';
  const ofFunction = (name: string) => ({
    ArnLike: { 'lambda:FunctionArn': `arn:aws:lambda:*:*:function:${name}` },
  });
  const allow = { Effect: 'Allow', Action, Resource };
  await get(UUID, as({ ...allow, Condition: ofFunction('f') }));
  const other = await refusal(get(UUID, as({ ...allow, Condition: ofFunction('g') })));
  assert.equal(other.name, 'AccessDeniedException');
  const refused = as(allow, { ...allow, Effect: 'Deny', Condition: ofFunction('f') });
  const made = await refusal(create({ EventSourceArn: queueArn('q2') }, refused));
  assert.equal(made.name, 'AccessDeniedException');
  const absent = await refusal(create({ FunctionName: 'absent' }, as()));
  assert.equal(absent.name, 'AccessDeniedException', 'asked before what is there');
});

test('a mapping has tags, which deploy tools read on every refresh', async (t) => {
  const { lambda, client, created } = await setUp(t);
  const UUID = await created({ Tags: { a: '1' } });
  const Resource = `arn:aws:lambda:${REGION}:000000000000:event-source-mapping:${UUID}`;
  await lambda.send(new sdk.TagResourceCommand({ Resource, Tags: { b: '2' } }));
  await lambda.send(new sdk.UntagResourceCommand({ Resource, TagKeys: ['a'] }));
  const list = (resource: string, as = lambda) =>
    as.send(new sdk.ListTagsCommand({ Resource: resource }));
  assert.deepEqual((await list(Resource)).Tags, { b: '2' });
  const absent = Resource.replace(UUID ?? '', '00000000-0000-4000-8000-000000000000');
  for (const [resource, as] of [
    [absent, lambda],
    [Resource, client(stranger)],
  ] as const) {
    const { name, message } = await refusal(list(resource, as));
    assert.equal(name, 'ResourceNotFoundException');
    assert.equal(message, `Event source mapping not found: ${resource}`);
  }
});

test('a batch is an invoke like others, of a function that can be invoked', async (t) => {
  const { frontend, lambda, installer, invoker } = await setUp(t);
  const { queued } = frontend;
  const { accountId } = owner;
  const f = { accountId, functionName: 'f' };
  assert.equal(await queued.serves(f), true);
  assert.equal(await queued.serves({ ...f, qualifier: 'absent' }), false);
  assert.equal(await queued.serves({ accountId: stranger.accountId, functionName: 'f' }), false);
  let finish = () => {};
  installer.gate = new Promise((resolve) => {
    finish = resolve;
  });
  await create(lambda, { FunctionName: 'pending' });
  assert.equal(await queued.serves({ accountId, functionName: 'pending' }), false);
  finish();

  const payload = Buffer.from('{"Records":[]}');
  const outcome = await queued.invokeBatch(f, payload);
  assert.equal(outcome.kind, 'ok');
  const [request] = invoker.requests;
  assert.deepEqual(request?.payload, payload);
  assert.equal(request?.invokedFunctionArn, `arn:aws:lambda:${REGION}:${accountId}:function:f`);
  assert.match(
    request?.traceId ?? '',
    /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0$/,
  );
  invoker.answer = () => {
    throw new SluiceError('CONCURRENCY_LIMIT_EXCEEDED', 'full');
  };
  assert.equal((await queued.invokeBatch(f, payload)).kind, 'refused');
  await lambda.send(
    new sdk.PutFunctionConcurrencyCommand({ FunctionName: 'f', ReservedConcurrentExecutions: 0 }),
  );
  assert.equal(await queued.serves(f), false);
  assert.equal((await queued.invokeBatch(f, payload)).kind, 'switched-off');
});
