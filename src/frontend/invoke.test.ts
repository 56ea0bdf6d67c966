import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { SluiceError } from '../base/mod.ts';
import { startFrontend } from './testing/harness.fixture.ts';
import { create, createActive, refusal } from './testing/lambda.fixture.ts';

const text = (payload: Uint8Array | undefined) => Buffer.from(payload ?? []).toString();

test('invoke: types, log tail, client context, failed functions, limits', async (t: TestContext) => {
  const { client, invoker } = await startFrontend(t);
  const lambda = client();
  await createActive(lambda);
  const dry = await lambda.send(new InvokeCommand({ FunctionName: 'f', InvocationType: 'DryRun' }));
  assert.equal(dry.StatusCode, 204);
  assert.equal(invoker.requests.length, 0);

  const context = { custom: { a: '1' } };
  const ClientContext = Buffer.from(JSON.stringify(context)).toString('base64');
  invoker.answer = () => ({
    status: 'function-error',
    functionError: 'Unhandled',
    payload: Buffer.from('{"errorMessage":"no"}'),
    logTail: Buffer.from('END RequestId\n'),
    executedVersion: '$LATEST',
  });
  const failed = await lambda.send(
    new InvokeCommand({ FunctionName: 'f', LogType: 'Tail', ClientContext }),
  );
  assert.equal(failed.StatusCode, 200);
  assert.equal(failed.FunctionError, 'Unhandled');
  assert.equal(Buffer.from(failed.LogResult ?? '', 'base64').toString(), 'END RequestId\n');
  assert.equal(text(failed.Payload), '{"errorMessage":"no"}');
  assert.deepEqual(JSON.parse(invoker.requests[0]?.clientContext ?? ''), context);
  assert.equal(text(invoker.requests[0]?.payload), '{}', 'no event is an empty one');

  invoker.answer = () => {
    throw new SluiceError('CONCURRENCY_LIMIT_EXCEEDED', 'f: full', {
      data: { reason: 'ReservedFunctionConcurrentInvocationLimitExceeded' },
    });
  };
  assert.deepEqual(await refusal(lambda.send(new InvokeCommand({ FunctionName: 'f' }))), {
    name: 'TooManyRequestsException',
    status: 429,
    message: 'Rate Exceeded.',
    Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
  });
  invoker.answer = () => {
    throw new Error('/secret/path: broken');
  };
  const broken = await refusal(lambda.send(new InvokeCommand({ FunctionName: 'f' })));
  assert.equal(broken.name, 'ServiceException');
  assert.equal(broken.status, 500);
  assert.doesNotMatch(broken.message, /secret/);
  const notJson = new InvokeCommand({ FunctionName: 'f', Payload: '{"a":' });
  const refused = await refusal(lambda.send(notJson));
  assert.equal(refused.name, 'InvalidRequestContentException');
  assert.match(refused.message, /^Could not parse request body into json: /);
});

test('invoke while Pending is refused with the state', async (t) => {
  const { client, installer } = await startFrontend(t);
  installer.gate = new Promise(() => {});
  const lambda = client();
  await create(lambda);
  assert.deepEqual(await refusal(lambda.send(new InvokeCommand({ FunctionName: 'f' }))), {
    name: 'ResourceConflictException',
    status: 409,
    message:
      'The operation cannot be performed at this time. The function is currently in the ' +
      'following state: Pending',
  });
});

test('a body of over 6 MB is refused with 413, for a function that exists', async (t) => {
  const { client } = await startFrontend(t);
  const lambda = client();
  await createActive(lambda);
  const Payload = Buffer.alloc(6 * 1024 * 1024 + 1, '1');
  const refused = await refusal(lambda.send(new InvokeCommand({ FunctionName: 'f', Payload })));
  assert.deepEqual(refused, {
    name: 'RequestTooLargeException',
    status: 413,
    message: 'Request must be smaller than 6291456 bytes for the InvokeFunction operation',
  });
  const most = Buffer.alloc(6 * 1024 * 1024, '1');
  const answer = await lambda.send(new InvokeCommand({ FunctionName: 'f', Payload: most }));
  assert.equal(answer.Payload?.length, most.length);
});
