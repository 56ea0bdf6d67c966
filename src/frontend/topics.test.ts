import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as sdk from '@aws-sdk/client-lambda';
import { SluiceError } from '../base/mod.ts';
import { startFrontend } from './testing/harness.fixture.ts';
import { create, createActive, refusal } from './testing/lambda.fixture.ts';

const there = 'arn:aws:sns:us-east-1:000000000000:there';
const topics = {
  describe: async ({ topicArn }: { topicArn: string }) => {
    if (topicArn !== there) throw new SluiceError('QUEUE_NOT_FOUND', `${topicArn}: no such topic`);
  },
};

test('a topic that is there may be a destination and a dead letter queue, another is invalid', async (t) => {
  const { client } = await startFrontend(t, { topics });
  const lambda = client();
  await createActive(lambda, { DeadLetterConfig: { TargetArn: there } });
  const put = (Destination: string) =>
    lambda.send(
      new sdk.PutFunctionEventInvokeConfigCommand({
        FunctionName: 'f',
        DestinationConfig: { OnFailure: { Destination } },
      }),
    );
  assert.equal((await put(there)).DestinationConfig?.OnFailure?.Destination, there);
  const gone = there.replace('there', 'gone');
  const invalid = {
    ...{ name: 'InvalidParameterValueException', status: 400 },
    message: `The destination ARN ${gone} is invalid.`,
  };
  assert.deepEqual(await refusal(put(gone)), invalid);
  const letters = { FunctionName: 'g', DeadLetterConfig: { TargetArn: gone } };
  assert.deepEqual(await refusal(create(lambda, letters)), invalid);
});

test('a region without topics takes none', async (t) => {
  const { client } = await startFrontend(t);
  const made = create(client(), { DeadLetterConfig: { TargetArn: there } });
  assert.equal((await refusal(made)).message, `The destination ARN ${there} is invalid.`);
});
