import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as sdk from '@aws-sdk/client-lambda';
import type { Operation } from './operation.ts';
import { allOperations } from './operations/all.ts';
import type { Services } from './services.ts';
import { owner, REGION, ROLE, startFrontend, stranger } from './testing/harness.fixture.ts';
import { createActive } from './testing/lambda.fixture.ts';
import { call, type RawResponse } from './testing/raw-http.fixture.ts';

const secret = 'what only its owner may know';
const arnOf = (kind: string, name: string) =>
  `arn:aws:lambda:${REGION}:${owner.accountId}:${kind}:${name}`;

/** A body that gets past the operation's own checks. */
const bodies: Record<string, (name: string) => object> = {
  CreateFunction: (name) => ({
    ...{ FunctionName: arnOf('function', name), Role: ROLE, PackageType: 'Image' },
    Code: { ImageUri: 'localhost:5000/i:1' },
  }),
  CreateEventSourceMapping: (name) => ({
    FunctionName: arnOf('function', name),
    EventSourceArn: `arn:aws:sqs:${REGION}:${stranger.accountId}:q`,
  }),
  CreateAlias: () => ({ Name: 'a', FunctionVersion: '1' }),
  AddPermission: () => ({
    ...{ StatementId: 's', Action: 'lambda:InvokeFunction', Principal: stranger.accountId },
  }),
  CreateFunctionUrlConfig: () => ({ AuthType: 'NONE' }),
  PutFunctionConcurrency: () => ({ ReservedConcurrentExecutions: 0 }),
  PutProvisionedConcurrencyConfig: () => ({ ProvisionedConcurrentExecutions: 1 }),
  PutFunctionEventInvokeConfig: () => ({ MaximumRetryAttempts: 0 }),
  UpdateFunctionEventInvokeConfig: () => ({ MaximumRetryAttempts: 0 }),
  TagResource: () => ({ Tags: { a: 'b' } }),
};

function requestOf({ name: operation, method, path }: Operation, name: string) {
  const filled = path
    .replace(':FunctionName', encodeURIComponent(arnOf('function', name)))
    .replace(':Resource', encodeURIComponent(arnOf('function', name)))
    .replace(':LayerName', encodeURIComponent(arnOf('layer', name)))
    .replace(':VersionNumber', '1')
    .replace(':Name', 'live')
    .replace(/:\w+/g, 'x');
  const separator = filled.includes('?') ? '&' : '?';
  const query = `Qualifier=live&tagKeys=a&FunctionName=${encodeURIComponent(arnOf('function', name))}`;
  const body = bodies[operation]?.(name) ?? {};
  const sends = method === 'POST' || method === 'PUT';
  return {
    method,
    path: `${filled}${separator}${query}`,
    ...(sends ? { body: JSON.stringify(body) } : {}),
  };
}

/** The answer without what differs from one request to the next, and without the name asked for. */
function shape({ status, headers, body }: RawResponse, name: string) {
  const named = body.replaceAll(arnOf('function', name), 'ARN').replaceAll(`:${name}`, ':NAME');
  const ids = named.replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID');
  return { status, type: headers['x-amzn-errortype'], body: ids };
}

test('to another account, what is there answers as what is not', async (t) => {
  const harness = await startFrontend(t);
  const lambda = harness.client();
  await createActive(lambda, { FunctionName: 'there', Description: secret });
  const FunctionName = 'there';
  await lambda.send(new sdk.PublishVersionCommand({ FunctionName }));
  const alias = { FunctionName, Name: 'live', FunctionVersion: '1', Description: secret };
  await lambda.send(new sdk.CreateAliasCommand(alias));
  await lambda.send(new sdk.CreateFunctionUrlConfigCommand({ FunctionName, AuthType: 'AWS_IAM' }));
  const before = await harness.store.read({ accountId: owner.accountId, name: 'there' });

  const operations = allOperations({} as Services).filter(
    ({ name }) => name !== 'GetAccountSettings' && !name.startsWith('ListFunctions'),
  );
  assert.ok(operations.length > 40);
  for (const operation of operations) {
    const as = { credential: stranger };
    const there = await call(harness.port, requestOf(operation, 'there'), as);
    const absent = await call(harness.port, requestOf(operation, 'gone'), as);
    assert.deepEqual(shape(there, 'there'), shape(absent, 'gone'), operation.name);
    assert.ok(!there.body.includes(secret), operation.name);
    if (operation.path.includes(':FunctionName')) {
      assert.equal(there.status, 403, `${operation.name} ${there.body}`);
      assert.equal(there.headers['x-amzn-errortype'], 'AccessDeniedException', operation.name);
    }
  }
  const after = await harness.store.read({ accountId: owner.accountId, name: 'there' });
  assert.deepEqual(after, before);
  assert.deepEqual(harness.invoker.requests, []);
  assert.deepEqual(harness.events.events, []);
});
