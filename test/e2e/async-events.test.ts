import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  InvokeCommand,
  type LambdaClient,
  PutFunctionEventInvokeConfigCommand,
} from '@aws-sdk/client-lambda';
import { hostLacks } from '../support/host.ts';
import { createImageFunction } from '../support/image-function.ts';
import { prepareData } from '../support/prepared-data.ts';
import { type RunningRegion, startRegion } from '../support/region.ts';
import { scratchDirectory } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const lacks = hostLacks('root', 'fuse', 'loop', 'cgroup');

describe('asynchronous invokes', { skip: lacks }, () => {
  const scratch = scratchDirectory('async-events');
  const data = join(scratch.path, 'data');
  let region: RunningRegion;
  let client: LambdaClient;

  const event = (payload: unknown) =>
    client.send(
      new InvokeCommand({
        FunctionName: 'f',
        InvocationType: 'Event',
        Payload: JSON.stringify(payload),
      }),
    );
  /** What arrived in a directory of the account, oldest first; waits for `count` of them. */
  const arrived = async (name: string, count: number) => {
    const directory = join(data, 'destinations/000000000000', name);
    const files = () =>
      existsSync(directory) ? readdirSync(directory).filter((file) => file.endsWith('.json')) : [];
    await until(`${count} messages in ${directory}`, () => files().length >= count);
    return files().map((file) => JSON.parse(readFileSync(join(directory, file), 'utf8')));
  };

  before(async () => {
    const image = await prepareData(data);
    region = await startRegion(undefined, data);
    client = region.client();
    await createImageFunction(client, 'f', image, { Timeout: 10 });
    await client.send(
      new PutFunctionEventInvokeConfigCommand({
        FunctionName: 'f',
        MaximumRetryAttempts: 0,
        DestinationConfig: {
          OnSuccess: { Destination: 'directory:done' },
          OnFailure: { Destination: 'directory:failed' },
        },
      }),
    );
  });
  after(async () => {
    await region?.stop();
    scratch.remove();
  });

  test('an event is answered with 202, run, and its result goes to the success destination', async () => {
    const answer = await event({ mode: 'echo', number: 7 });
    assert.equal(answer.StatusCode, 202);
    const [record] = await arrived('done', 1);
    assert.deepEqual(
      [
        record.requestContext.condition,
        record.requestPayload.number,
        record.responsePayload.number,
      ],
      ['Success', 7, 7],
    );
  });

  test('a failing event goes to the failure destination', async () => {
    await event({ mode: 'throw' });
    const [record] = await arrived('failed', 1);
    assert.equal(record.requestContext.condition, 'RetriesExhausted');
    assert.equal(record.responseContext.functionError, 'Unhandled');
    assert.equal(record.responsePayload.errorType, 'RangeError');
  });

  test('an event that was answered with 202 runs after kill -9 and a restart', async () => {
    await event({ mode: 'sleep', ms: 3000 });
    await region.kill();
    region = await startRegion(undefined, data);
    client = region.client();
    assert.equal((await arrived('done', 2)).length, 2);
  });
});
