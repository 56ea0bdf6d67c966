import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateEventSourceMappingCommand,
  DeleteEventSourceMappingCommand,
  GetEventSourceMappingCommand,
  InvokeCommand,
  PutFunctionEventInvokeConfigCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';
import { CreateQueueCommand, SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import { repositoryRoot } from '../repo/repository.ts';
import { hostLacks } from '../support/host.ts';
import { createImageFunction } from '../support/image-function.ts';
import { prepareData } from '../support/prepared-data.ts';
import { type RunningRegion, readMetric, startRegion } from '../support/region.ts';
import { run } from '../support/run.ts';
import { SqsServer } from '../support/sqs-server.ts';
import { scratchDirectory } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const lacks = hostLacks('root', 'fuse', 'loop', 'cgroup');

process.env['AWS_ACCESS_KEY_ID'] = 'AKIAOPERATOR';
process.env['AWS_SECRET_ACCESS_KEY'] = 'secret';

describe('event source mappings', { skip: lacks }, () => {
  const scratch = scratchDirectory('event-sources');
  const data = join(scratch.path, 'data');
  const server = new SqsServer();
  let region: RunningRegion;
  let uuid: string;

  const settled = (state: string) =>
    until(state, async () => {
      const asked = region.client().send(new GetEventSourceMappingCommand({ UUID: uuid }));
      const answer = await asked.catch((error: Error) => ({ State: error.name }));
      return answer.State === state;
    });

  before(async () => {
    const endpoint = await server.listen();
    const sqs = JSON.stringify({ endpoint });
    const sluice = join(repositoryRoot, 'bin/sluice');
    const image = await prepareData(data);
    await run(sluice, ['config', 'set', 'sqs', sqs, '--data', data]);
    region = await startRegion(undefined, data);
    const client = region.client();
    await createImageFunction(client, 'f', image, { Timeout: 3 });
    // A first start on a busy machine may take longer than messages stay hidden here.
    await client.send(new InvokeCommand({ FunctionName: 'f' }));
  });
  after(async () => {
    await region?.stop();
    await server.close();
    scratch.remove();
  });

  test('a function takes what is sent to its queue; what it fails goes back, and then aside', async () => {
    const sqs = new SQSClient({
      endpoint: server.endpoint,
      region: 'us-east-1',
      useQueueUrlAsEndpoint: false,
    });
    const dead = server.create('dead');
    const redrive = { deadLetterTargetArn: dead.arn, maxReceiveCount: 2 };
    const Attributes = { VisibilityTimeout: '4', RedrivePolicy: JSON.stringify(redrive) };
    const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'q', Attributes }));
    const queue = server.queues.get('q')!;
    const created = await region.client().send(
      new CreateEventSourceMappingCommand({
        FunctionName: 'f',
        EventSourceArn: queue.arn,
        FunctionResponseTypes: ['ReportBatchItemFailures'],
      }),
    );
    uuid = created.UUID ?? '';
    assert.equal(created.State, 'Creating');
    await settled('Enabled');
    const bodies = [{}, {}, {}, { failures: 1 }, { failures: 9, poison: true }];
    const Entries = bodies.map((body, i) => ({ Id: `${i}`, MessageBody: JSON.stringify(body) }));
    await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    sqs.destroy();
    await until('an empty queue', () => queue.messages.length === 0);
    const removed = () => readMetric(region, 'sluice_source_messages_removed_total');
    await until('a count of what was deleted', async () => (await removed()) >= 4);
    assert.deepEqual(
      dead.messages.map((each) => JSON.parse(each.body).poison),
      [true],
    );
  });

  test('a message whose function was running when the region was killed is not lost', async () => {
    const queue = server.queues.get('q')!;
    server.send('q', JSON.stringify({ ms: 2000 }));
    await until('a receive', () => queue.messages[0]?.receives === 1);
    await sleep(500);
    await region.kill();
    assert.equal(queue.messages.length, 1, 'not deleted before the function is done');
    region = await startRegion(undefined, data);
    await settled('Enabled');
    await until('a second run', () => queue.messages.length === 0);
    const removed = () => readMetric(region, 'sluice_source_messages_removed_total');
    await until('a delete by the second life', async () => (await removed()) >= 1);
  });

  test('an event that fails is told to queues by their ARNs', async () => {
    const [failed, letters] = [server.create('failed'), server.create('letters')];
    const client = region.client();
    const FunctionName = 'f';
    const DeadLetterConfig = { TargetArn: letters.arn };
    await client.send(new UpdateFunctionConfigurationCommand({ FunctionName, DeadLetterConfig }));
    await waitUntilFunctionUpdatedV2(
      { client, maxWaitTime: 600, minDelay: 0.1, maxDelay: 0.5 },
      { FunctionName },
    );
    await client.send(
      new PutFunctionEventInvokeConfigCommand({
        FunctionName,
        MaximumRetryAttempts: 0,
        DestinationConfig: { OnFailure: { Destination: failed.arn } },
      }),
    );
    const Payload = '{"mode":"throw"}';
    await client.send(new InvokeCommand({ FunctionName, InvocationType: 'Event', Payload }));
    await until('a record', () => failed.messages.length + letters.messages.length === 2);
    const record = JSON.parse(failed.messages[0]?.body ?? '');
    assert.equal(record.requestContext.condition, 'RetriesExhausted');
    assert.equal(letters.messages[0]?.body, Payload);
    const { requestId } = record.requestContext;
    assert.deepEqual(letters.messages[0]?.attributes, {
      RequestID: { DataType: 'String', StringValue: requestId },
      ErrorCode: { DataType: 'Number', StringValue: '200' },
      ErrorMessage: { DataType: 'String', StringValue: 'out of range' },
    });
  });

  test('a deleted mapping stops reading', async () => {
    const deleted = await region.client().send(new DeleteEventSourceMappingCommand({ UUID: uuid }));
    assert.equal(deleted.State, 'Deleting');
    await settled('ResourceNotFoundException');
    server.send('q', '{}');
    await sleep(1000);
    assert.equal(server.queues.get('q')?.messages[0]?.receives, 0);
  });
});
