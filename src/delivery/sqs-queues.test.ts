import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { CreateQueueCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { hostHasMoto, startMoto } from '../../test/support/moto.ts';
import { SqsServer } from '../../test/support/sqs-server.ts';
import { isSluiceError } from '../base/mod.ts';
import { SqsQueues } from './sqs-queues.ts';

const accountId = '000000000000';
const eventSourceArn = `arn:aws:sqs:us-east-1:${accountId}:q`;
const never = new AbortController().signal;
const failsWith = (code: Parameters<typeof isSluiceError>[1]) => (error: unknown) =>
  isSluiceError(error, code);

process.env['AWS_ACCESS_KEY_ID'] = 'AKIAOPERATOR';
process.env['AWS_SECRET_ACCESS_KEY'] = 'secret';

async function open(t: TestContext, endpoint: string, accounts: Record<string, string[]> = {}) {
  const queues = await SqsQueues.open({ endpoint, accounts }, 'us-east-1');
  t.after(() => queues.close());
  return queues;
}

/** What every service that speaks SQS has to give us. */
async function judge(t: TestContext, endpoint: string) {
  const client = new SQSClient({ endpoint, region: 'us-east-1', useQueueUrlAsEndpoint: false });
  t.after(() => client.destroy());
  const Attributes = { VisibilityTimeout: '1' };
  const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: 'q', Attributes }));
  const queues = await open(t, endpoint);
  const queue = { eventSourceArn, accountId };
  assert.deepEqual(await queues.describe(queue), { visibilityTimeoutSeconds: 1 });

  const MessageAttributes = {
    kind: { DataType: 'String', StringValue: 'order' },
    raw: { DataType: 'Binary', BinaryValue: Buffer.from('bytes') },
  };
  await client.send(
    new SendMessageCommand({ QueueUrl, MessageBody: '{"n":1}', MessageAttributes }),
  );
  const [message] = await queues.receive(queue, { count: 10, waitSeconds: 5 }, never);
  assert.ok(message);
  assert.equal(message.body, '{"n":1}');
  assert.equal(message.attributes['ApproximateReceiveCount'], '1');
  assert.match(message.attributes['SentTimestamp'] ?? '', /^\d{13}$/);
  assert.deepEqual(message.messageAttributes, {
    kind: { dataType: 'String', stringValue: 'order' },
    raw: { dataType: 'Binary', binaryValue: 'Ynl0ZXM=' },
  });
  const [again] = await queues.receive(queue, { count: 10, waitSeconds: 5 }, never);
  assert.equal(again?.messageId, message.messageId, 'it comes again');
  assert.equal(again?.attributes['ApproximateReceiveCount'], '2');
  await queues.remove(queue, [again!]);

  const many = Array.from({ length: 12 }, (_, i) => String(i));
  for (const body of many) {
    const outgoing = { body, attributes: {}, group: 'g', deduplicationId: body };
    await queues.send(queue, outgoing, never);
  }
  const got = [
    ...(await queues.receive(queue, { count: 10, waitSeconds: 1 }, never)),
    ...(await queues.receive(queue, { count: 10, waitSeconds: 1 }, never)),
  ];
  assert.deepEqual(
    got.map((each) => Number(each.body)).sort((a, b) => a - b),
    many.map(Number),
  );
  await queues.remove(queue, got);
  assert.deepEqual(await queues.receive(queue, { count: 10, waitSeconds: 1 }, never), []);
  const absent = { accountId, eventSourceArn: `${eventSourceArn}-absent` };
  await assert.rejects(queues.describe(absent), failsWith('QUEUE_NOT_FOUND'));
}

describe('queues that speak SQS', () => {
  test('ours', async (t) => {
    const server = new SqsServer();
    const endpoint = await server.listen();
    t.after(() => server.close());
    await judge(t, endpoint);
    assert.ok(server.calls.every((each) => each.accessKeyId === 'AKIAOPERATOR'));
  });

  test('moto', async (t) => {
    if (!hostHasMoto(t)) return;
    const moto = await startMoto({ MOTO_ACCOUNT_ID: accountId });
    t.after(() => moto.stop());
    await judge(t, moto.endpoint);
  });

  test('an account reads its own queues, and those of owners that it was given', async (t) => {
    const server = new SqsServer();
    const endpoint = await server.listen();
    t.after(() => server.close());
    server.create('q');
    const queues = await open(t, endpoint, { '222222222222': [accountId] });
    const { describe: read } = queues;
    const as = (caller: string, arn = eventSourceArn) =>
      read.call(queues, { accountId: caller, eventSourceArn: arn });
    await as(accountId);
    await as('222222222222');
    await assert.rejects(as('333333333333'), failsWith('ACCESS_DENIED'));
    const absent = `${eventSourceArn}-absent`;
    await assert.rejects(as('333333333333', absent), failsWith('ACCESS_DENIED'));
    const elsewhere = eventSourceArn.replace('us-east-1', 'eu-west-1');
    await assert.rejects(as(accountId, elsewhere), failsWith('QUEUE_NOT_FOUND'));
    assert.ok(server.calls.length <= 3, 'what is refused here does not reach the service');
  });

  test('an unavailable service is told apart from a missing queue', async (t) => {
    const server = new SqsServer();
    const endpoint = await server.listen();
    t.after(() => server.close());
    server.create('q');
    server.down = true;
    const queues = await open(t, endpoint);
    const queue = { accountId, eventSourceArn };
    await assert.rejects(queues.describe(queue), failsWith('QUEUE_SERVICE_UNAVAILABLE'));
  });

  test('a receive that waits ends when it is told to', async (t) => {
    const server = new SqsServer();
    const endpoint = await server.listen();
    t.after(() => server.close());
    server.create('q');
    const queues = await open(t, endpoint);
    const queue = { accountId, eventSourceArn };
    const waiting = new AbortController();
    const receive = queues.receive(queue, { count: 1, waitSeconds: 20 }, waiting.signal);
    setTimeout(() => waiting.abort(new RangeError('enough')), 100);
    await assert.rejects(receive, RangeError);
  });
});
