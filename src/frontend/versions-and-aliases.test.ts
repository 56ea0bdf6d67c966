import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CreateAliasCommand,
  DeleteAliasCommand,
  DeleteFunctionCommand,
  GetAliasCommand,
  GetFunctionCommand,
  InvokeCommand,
  type LambdaClient,
  ListAliasesCommand,
  ListFunctionsCommand,
  ListVersionsByFunctionCommand,
  PublishVersionCommand,
  UpdateAliasCommand,
  UpdateFunctionCodeCommand,
  waitUntilFunctionUpdatedV2,
  waitUntilPublishedVersionActive,
} from '@aws-sdk/client-lambda';
import { IMAGE, REGION, startFrontend } from './testing/harness.fixture.ts';
import { create, createActive, refusal } from './testing/lambda.fixture.ts';

const FunctionName = 'f';
const arn = `arn:aws:lambda:${REGION}:000000000000:function:f`;
const waiter = (client: LambdaClient) => ({
  ...{ client, maxWaitTime: 600, minDelay: 0.02, maxDelay: 0.05 },
});

async function update(lambda: LambdaClient, ImageUri: string) {
  await lambda.send(new UpdateFunctionCodeCommand({ FunctionName, ImageUri }));
  await waitUntilFunctionUpdatedV2(waiter(lambda), { FunctionName });
}

async function withTwoVersions(t: Parameters<typeof startFrontend>[0]) {
  const harness = await startFrontend(t);
  const lambda = harness.client();
  await createActive(lambda);
  await lambda.send(new PublishVersionCommand({ FunctionName, Description: 'one' }));
  await update(lambda, 'localhost:5000/hello:2');
  await lambda.send(new PublishVersionCommand({ FunctionName, Description: 'two' }));
  return { ...harness, lambda };
}

test('versions are published once for each change, kept, listed and deleted', async (t) => {
  const { lambda, invoker } = await withTwoVersions(t);
  const again = await lambda.send(new PublishVersionCommand({ FunctionName }));
  assert.equal(again.Version, '2');
  assert.equal(again.Description, 'two');
  assert.equal(again.FunctionArn, `${arn}:2`);
  const listed = await lambda.send(new ListVersionsByFunctionCommand({ FunctionName }));
  assert.deepEqual(
    listed.Versions?.map((each) => each.Version),
    ['$LATEST', '1', '2'],
  );
  const page = await lambda.send(new ListVersionsByFunctionCommand({ FunctionName, MaxItems: 2 }));
  assert.deepEqual(
    page.Versions?.map((each) => each.Version),
    ['$LATEST', '1'],
  );
  const { NextMarker: Marker } = page;
  const next = await lambda.send(new ListVersionsByFunctionCommand({ FunctionName, Marker }));
  assert.deepEqual(
    next.Versions?.map((each) => each.Version),
    ['2'],
  );
  const all = await lambda.send(new ListFunctionsCommand({ FunctionVersion: 'ALL', MaxItems: 2 }));
  const rest = await lambda.send(
    new ListFunctionsCommand({ FunctionVersion: 'ALL', Marker: all.NextMarker }),
  );
  const arns = [...(all.Functions ?? []), ...(rest.Functions ?? [])].map((e) => e.FunctionArn);
  assert.deepEqual(arns, [`${arn}:$LATEST`, `${arn}:1`, `${arn}:2`]);

  const first = await lambda.send(new GetFunctionCommand({ FunctionName, Qualifier: '1' }));
  assert.equal(first.Code?.ImageUri, IMAGE, 'an update does not change a version');
  const invoked = await lambda.send(new InvokeCommand({ FunctionName: `${FunctionName}:1` }));
  assert.equal(invoked.ExecutedVersion, '1');
  assert.equal(invoker.requests.at(-1)?.version.arn, `${arn}:1`);

  await lambda.send(new DeleteFunctionCommand({ FunctionName, Qualifier: '1' }));
  assert.ok(invoker.drained.includes(`${arn}:1`));
  const gone = await refusal(lambda.send(new InvokeCommand({ FunctionName, Qualifier: '1' })));
  assert.equal(gone.message, `Function not found: ${arn}:1`);
  const latest = new DeleteFunctionCommand({ FunctionName, Qualifier: '$LATEST' });
  assert.match((await refusal(lambda.send(latest))).message, /^\$LATEST version cannot be deleted/);
  await update(lambda, 'localhost:5000/hello:3');
  const third = await lambda.send(new PublishVersionCommand({ FunctionName }));
  assert.equal(third.Version, '3', 'numbers are not given twice');
});

test('publish checks the hash and the revision that the caller saw', async (t) => {
  const { lambda } = await withTwoVersions(t);
  const publish = (input: object) =>
    refusal(lambda.send(new PublishVersionCommand({ FunctionName, ...input })));
  assert.match(
    (await publish({ CodeSha256: 'nonsense' })).message,
    /^CodeSHA256 \(nonsense\) is different from current CodeSHA256 in \$LATEST \([0-9a-f]{64}\)\./,
  );
  assert.equal((await publish({ RevisionId: 'stale' })).name, 'PreconditionFailedException');
});

test('a create that publishes makes a version that becomes active with it', async (t) => {
  const { client } = await startFrontend(t);
  const lambda = client();
  const created = await create(lambda, { Publish: true });
  assert.equal(created.Version, '1');
  const query = { FunctionName, Qualifier: '1' };
  await waitUntilPublishedVersionActive(waiter(lambda), query);
  const invoked = await lambda.send(new InvokeCommand(query));
  assert.equal(invoked.ExecutedVersion, '1');
});

test('an alias is made, read, moved, listed and deleted', async (t) => {
  const { lambda, invoker } = await withTwoVersions(t);
  const Name = 'live';
  const made = await lambda.send(
    new CreateAliasCommand({ FunctionName, Name, FunctionVersion: '1', Description: 'd' }),
  );
  assert.equal(made.AliasArn, `${arn}:live`);
  const invoke = () => lambda.send(new InvokeCommand({ FunctionName, Qualifier: Name }));
  assert.equal((await invoke()).ExecutedVersion, '1');
  assert.equal(invoker.requests.at(-1)?.invokedFunctionArn, `${arn}:live`);
  const moved = await lambda.send(
    new UpdateAliasCommand({ FunctionName, Name, FunctionVersion: '2' }),
  );
  assert.equal(moved.Description, 'd');
  assert.notEqual(moved.RevisionId, made.RevisionId);
  assert.equal((await invoke()).ExecutedVersion, '2');
  const { RevisionId } = made;
  const stale = new UpdateAliasCommand({ FunctionName, Name, RevisionId, Description: 'x' });
  assert.equal((await refusal(lambda.send(stale))).status, 412);
  const configuration = await lambda.send(
    new GetFunctionCommand({ FunctionName, Qualifier: Name }),
  );
  assert.equal(configuration.Configuration?.FunctionArn, `${arn}:live`);
  assert.equal(configuration.Configuration?.Version, '2');
  const used = await refusal(
    lambda.send(new DeleteFunctionCommand({ FunctionName, Qualifier: '2' })),
  );
  assert.equal(used.name, 'ResourceConflictException');
  await lambda.send(new CreateAliasCommand({ FunctionName, Name: 'old', FunctionVersion: '1' }));
  const only = await lambda.send(new ListAliasesCommand({ FunctionName, FunctionVersion: '1' }));
  assert.deepEqual(
    only.Aliases?.map((each) => each.Name),
    ['old'],
  );
  const page = await lambda.send(new ListAliasesCommand({ FunctionName, MaxItems: 1 }));
  assert.deepEqual(
    page.Aliases?.map((each) => each.Name),
    ['live'],
  );
  assert.ok(page.NextMarker);
  await lambda.send(new DeleteAliasCommand({ FunctionName, Name }));
  const gone = await refusal(lambda.send(new GetAliasCommand({ FunctionName, Name })));
  assert.equal(gone.message, `Cannot find alias arn: ${arn}:live`);
});

test('weights send their share of invokes to the other version', async (t) => {
  const { lambda } = await withTwoVersions(t);
  const routing = (weight: number) => ({ AdditionalVersionWeights: { '2': weight } });
  const input = { FunctionName, Name: 'live', FunctionVersion: '1' };
  await lambda.send(new CreateAliasCommand({ ...input, RoutingConfig: routing(0.5) }));
  const counts: Record<string, number> = {};
  for (let i = 0; i < 100; i++) {
    const answer = await lambda.send(new InvokeCommand({ FunctionName, Qualifier: 'live' }));
    counts[answer.ExecutedVersion ?? ''] = (counts[answer.ExecutedVersion ?? ''] ?? 0) + 1;
  }
  // 100 fair throws stay within 20 to 80 but for one run in 10^9.
  assert.ok((counts['1'] ?? 0) >= 20 && (counts['2'] ?? 0) >= 20, JSON.stringify(counts));
  const ended = await lambda.send(new UpdateAliasCommand({ ...input, RoutingConfig: {} }));
  assert.equal(ended.RoutingConfig, undefined);
});

test('aliases are refused in the words of the service', async (t) => {
  const { lambda } = await withTwoVersions(t);
  const make = async (FunctionVersion: string, weights?: Record<string, number>, Name = 'a') => {
    const RoutingConfig = weights && { AdditionalVersionWeights: weights };
    const input = { FunctionName, Name, FunctionVersion, RoutingConfig };
    const { name, message } = await refusal(lambda.send(new CreateAliasCommand(input)));
    return `${name}: ${message}`;
  };
  const invalid = (message: string) => `InvalidParameterValueException: ${message}`;
  const two = 'Number of items in AdditionalVersionWeights cannot be greater than 1';
  assert.equal(await make('1', { '2': 0.1, '3': 0.1 }), invalid(two));
  const latest = '$LATEST is not supported for an alias pointing to more than 1 version';
  assert.equal(await make('$LATEST', { '1': 0.5 }), invalid(latest));
  const same =
    'Invalid function version 1. Function version 1 is already included in routing configuration.';
  assert.equal(await make('1', { '1': 0.5 }), invalid(same));
  assert.equal(await make('10'), `ResourceNotFoundException: Function not found: ${arn}:10`);
  assert.equal(
    await make('1', { '2': 2 }),
    "ValidationException: 1 validation error detected: Value '{2=2.0}' at " +
      "'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must " +
      'satisfy constraint: [Member must have value less than or equal to 1.0, Member must have ' +
      'value greater than or equal to 0.0, Member must not be null]',
  );
  assert.match(
    await make('1', undefined, '2024'),
    /^ValidationException: .*Value '2024' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: \(\?!\^\[0-9\]\+\$\)\(\[a-zA-Z0-9-_\]\+\)$/,
  );
  await lambda.send(new CreateAliasCommand({ FunctionName, Name: 'a', FunctionVersion: '1' }));
  const exists = `ResourceConflictException: Alias already exists: ${arn}:a`;
  assert.equal(await make('1'), exists);
  const missing = new UpdateAliasCommand({ FunctionName, Name: 'b', FunctionVersion: '1' });
  assert.equal((await refusal(lambda.send(missing))).message, `Alias not found: ${arn}:b`);
});
