import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { InvokeCommand, InvokeWithResponseStreamCommand } from '@aws-sdk/client-lambda';
import { awsLambdaRic, RIC_NEEDS } from '../support/aws-lambda-ric.ts';
import { hostHas } from '../support/host.ts';
import { createImageFunction } from '../support/image-function.ts';
import { buildTestImage } from '../support/node-image.ts';
import { startRegion } from '../support/region.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const app = `
export const handler = async (event, context) => {
  if (event.fail) throw new RangeError('out of range');
  console.log('hello', event.name);
  return {
    name: event.name,
    requestId: context.awsRequestId,
    memory: context.memoryLimitInMB,
    version: context.functionVersion,
    left: context.getRemainingTimeInMillis(),
  };
};
export const streamed = awslambda.streamifyResponse(async (event, stream) => {
  stream.setContentType('text/plain');
  for (const part of ['one ', 'two ', 'three']) stream.write(part);
  if (event.fail) throw new TypeError('midway');
  stream.end();
});
`;
const broken = `throw new SyntaxError('at the very beginning');\nexport const handler = 0;\n`;

test("AWS's own runtime client runs in an image", { timeout: 1_700_000 }, async (t) => {
  if (!hostHas(t, 'root', 'fuse', 'loop', 'cgroup', ...RIC_NEEDS)) return;
  const ric = await awsLambdaRic();
  const files: Record<string, Buffer | string> = {
    'var/task/app.mjs': app,
    'var/task/broken.mjs': broken,
  };
  for (const name of readdirSync(ric)) files[`var/ric/${name}`] = readFileSync(join(ric, name));
  const directory = temporaryDirectory(t, 'ric');
  const image = await buildTestImage(join(directory, 'image'), files);
  const region = await startRegion(t, join(directory, 'data'));
  const client = region.client();
  const create = async (FunctionName: string, handler: string) => {
    const ImageConfig = { EntryPoint: ['/usr/bin/node', '/var/ric/index.mjs'], Command: [handler] };
    const more = { ImageConfig, MemorySize: 512, Timeout: 20 };
    await createImageFunction(client, FunctionName, image, more);
  };
  const invoke = async (FunctionName: string, event: object) => {
    const Payload = JSON.stringify(event);
    const answer = await client.send(new InvokeCommand({ FunctionName, Payload, LogType: 'Tail' }));
    const body = JSON.parse(Buffer.from(answer.Payload ?? []).toString());
    const log = Buffer.from(answer.LogResult ?? '', 'base64').toString();
    return { body, error: answer.FunctionError, log, id: answer.$metadata.requestId };
  };
  const stream = async (event: object) => {
    const answer = await client.send(
      new InvokeWithResponseStreamCommand({
        FunctionName: 'streamed',
        Payload: Buffer.from(JSON.stringify(event)),
      }),
    );
    let text = '';
    let end: { ErrorCode?: string | undefined; ErrorDetails?: string | undefined } = {};
    for await (const part of answer.EventStream ?? []) {
      text += Buffer.from(part.PayloadChunk?.Payload ?? []).toString();
      if (part.InvokeComplete) end = part.InvokeComplete;
    }
    return { text, end };
  };

  await t.test('buffered, and warm again', async () => {
    await create('buffered', 'app.handler');
    for (const name of ['first', 'second']) {
      const { body, error, log, id } = await invoke('buffered', { name });
      assert.equal(error, undefined, JSON.stringify(body));
      const { left, ...rest } = body;
      const expected = { name, requestId: id, memory: '512', version: '$LATEST' };
      assert.deepEqual(rest, expected);
      assert.ok(left > 0 && left <= 20_000);
      assert.match(log, new RegExp(`\\t${id}\\tINFO\\thello ${name}`));
    }
  });

  await t.test('an error of the handler', async () => {
    const { body, error } = await invoke('buffered', { fail: true });
    assert.equal(error, 'Unhandled');
    assert.deepEqual([body.errorType, body.errorMessage], ['RangeError', 'out of range']);
    assert.ok(Array.isArray(body.trace));
    assert.equal((await invoke('buffered', { name: 'after' })).body.name, 'after');
  });

  await t.test('streamed, and failed midway', async () => {
    await create('streamed', 'app.streamed');
    const whole = await stream({});
    assert.equal(whole.text, 'one two three');
    assert.equal(whole.end.ErrorCode, undefined);
    const failed = await stream({ fail: true });
    assert.equal(failed.end.ErrorCode, 'Unhandled');
    const { errorType, errorMessage } = JSON.parse(failed.end.ErrorDetails ?? '');
    assert.deepEqual([errorType, errorMessage], ['TypeError', 'midway']);
  });

  await t.test('an error of init', async () => {
    await create('broken', 'broken.handler');
    const { body, error } = await invoke('broken', {});
    assert.equal(error, 'Unhandled');
    assert.deepEqual(
      [body.errorType, body.errorMessage],
      ['Runtime.UserCodeSyntaxError', 'SyntaxError: at the very beginning'],
    );
  });
});
