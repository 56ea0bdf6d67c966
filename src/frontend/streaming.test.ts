import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvokeWithResponseStreamCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { SluiceError } from '../base/mod.ts';
import { startFrontend } from './testing/harness.fixture.ts';
import { createActive, refusal } from './testing/lambda.fixture.ts';

/** What the stock SDK makes of the stream: its pieces, and how it ended. */
async function read(lambda: LambdaClient, input: object = {}) {
  const answer = await lambda.send(
    new InvokeWithResponseStreamCommand({ FunctionName: 'f', Payload: '{}', ...input }),
  );
  const pieces: string[] = [];
  let end: object | undefined;
  for await (const event of answer.EventStream ?? []) {
    if (event.PayloadChunk) pieces.push(Buffer.from(event.PayloadChunk.Payload ?? []).toString());
    if (event.InvokeComplete) end = event.InvokeComplete;
  }
  return { pieces, end, answer };
}

test('a streamed response arrives piece by piece, before the function is done', async (t) => {
  const { client, invoker } = await startFrontend(t);
  const lambda = client();
  await createActive(lambda);
  let release = () => {};
  invoker.answer = async ({ sink, version }) => {
    sink?.begin('text/plain');
    await sink?.write(Buffer.from('one'));
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    await sink?.write(Buffer.from('two'));
    return { status: 'ok', payload: Buffer.alloc(0), executedVersion: version.version };
  };
  const answer = await lambda.send(
    new InvokeWithResponseStreamCommand({ FunctionName: 'f', Payload: '{}' }),
  );
  assert.equal(answer.ExecutedVersion, '$LATEST');
  assert.equal(answer.ResponseStreamContentType, 'application/vnd.amazon.eventstream');
  const stream = answer.EventStream?.[Symbol.asyncIterator]();
  const first = await stream?.next();
  assert.equal(Buffer.from(first?.value.PayloadChunk?.Payload ?? []).toString(), 'one');
  release();
  const second = await stream?.next();
  assert.equal(Buffer.from(second?.value.PayloadChunk?.Payload ?? []).toString(), 'two');
  assert.deepEqual((await stream?.next())?.value.InvokeComplete, {});
  assert.equal((await stream?.next())?.done, true);
});

test('a function that does not stream is sent whole; a large one in pieces', async (t) => {
  const { client, invoker } = await startFrontend(t);
  const lambda = client();
  await createActive(lambda);
  const { pieces } = await read(lambda, { Payload: '{"a":1}' });
  assert.deepEqual(pieces, ['{"a":1}']);
  const payload = Buffer.alloc(200_000, 'x');
  invoker.answer = () => ({ status: 'ok', payload, executedVersion: '$LATEST' });
  const large = await read(lambda);
  assert.equal(large.pieces.join(''), payload.toString());
  assert.ok(large.pieces.length > 1);
});

test('how it ended stands in the last event: an error, the log', async (t) => {
  const { client, invoker } = await startFrontend(t);
  const lambda = client();
  await createActive(lambda);
  invoker.answer = async ({ sink }) => {
    sink?.begin('text/plain');
    await sink?.write(Buffer.from('part'));
    return {
      status: 'function-error',
      functionError: 'Unhandled',
      payload: Buffer.from('{"errorMessage":"no"}'),
      logTail: Buffer.from('log'),
      executedVersion: '$LATEST',
    };
  };
  const failed = await read(lambda, { LogType: 'Tail' });
  assert.deepEqual(failed.pieces, ['part']);
  assert.deepEqual(failed.end, {
    ErrorCode: 'Unhandled',
    ErrorDetails: '{"errorMessage":"no"}',
    LogResult: Buffer.from('log').toString('base64'),
  });
  invoker.answer = async ({ sink }) => {
    sink?.begin('text/plain');
    throw new Error('sandbox lost');
  };
  const lost = await read(lambda);
  assert.equal((lost.end as { ErrorCode?: string }).ErrorCode, 'ServiceException');
});

test('what fails before the response begins is an ordinary error', async (t) => {
  const { client, invoker } = await startFrontend(t);
  const lambda = client();
  await createActive(lambda);
  invoker.answer = () => {
    throw new SluiceError('CONCURRENCY_LIMIT_EXCEEDED', 'full');
  };
  assert.equal((await refusal(read(lambda))).status, 429);
  const dry = new InvokeWithResponseStreamCommand({
    FunctionName: 'f',
    InvocationType: 'DryRun',
  });
  assert.equal((await lambda.send(dry)).StatusCode, 204);
});
