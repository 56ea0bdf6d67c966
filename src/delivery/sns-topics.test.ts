import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Sha256 } from '@aws-crypto/sha256-js';
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { SignatureV4 } from '@smithy/signature-v4';
import { hostHasMoto, startMoto } from '../../test/support/moto.ts';
import { type ErrorCode, isSluiceError, systemClock } from '../base/mod.ts';
import { SnsTopics, type SnsTopicsOptions } from './sns-topics.ts';
import type { OutgoingMessage } from './sqs-queues.ts';

const keys = { AWS_ACCESS_KEY_ID: 'AKIATOPICS', AWS_SECRET_ACCESS_KEY: 'secret' };
const owner = '123456789012';
const arnOf = (name: string, account = owner, region = 'us-east-1') =>
  `arn:aws:sns:${region}:${account}:${name}`;
const message: OutgoingMessage = {
  body: '{"n":"ü&="}',
  attributes: {
    RequestID: { dataType: 'String', stringValue: 'r-1' },
    ErrorCode: { dataType: 'Number', stringValue: '200' },
  },
  group: 'f',
  deduplicationId: 'r-1-dead-letter',
};
const failsWith = (code: ErrorCode) => (error: unknown) => isSluiceError(error, code);

function topicsOf(t: TestContext, endpoint: string, more: Partial<SnsTopicsOptions> = {}) {
  const topics = new SnsTopics({
    settings: { endpoint, accounts: { '222222222222': [owner] } },
    ...{ region: 'us-east-1', outbound: { allow: [], deny: [] }, clock: systemClock },
    environment: keys,
    ...more,
  });
  t.after(() => topics.close());
  return topics;
}

/** A service that answers as a test says, and keeps what it was sent. */
async function service(t: TestContext, answer = () => ({ status: 200, body: '<ok/>' })) {
  const received: { authorization: string; form: Record<string, string> }[] = [];
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    let body = '';
    for await (const part of request) body += part;
    const authorization = request.headers.authorization ?? '';
    received.push({ authorization, form: Object.fromEntries(new URLSearchParams(body)) });
    const { status, body: text } = answer();
    response.writeHead(status, { 'content-type': 'text/xml' }).end(text);
  };
  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { received, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test('a message is published in the query protocol, signed with the operator’s key', async (t) => {
  const { endpoint, received } = await service(t);
  const topics = topicsOf(t, endpoint);
  await topics.publish({ topicArn: arnOf('t'), accountId: owner }, message);
  await topics.publish({ topicArn: arnOf('t.fifo'), accountId: '222222222222' }, message);
  const [first, second] = received;
  assert.match(
    first?.authorization ?? '',
    /^AWS4-HMAC-SHA256 Credential=AKIATOPICS\/\d{8}\/us-east-1\/sns\/aws4_request, /,
  );
  const form = {
    ...{ Action: 'Publish', Version: '2010-03-31', TopicArn: arnOf('t'), Message: message.body },
    'MessageAttributes.entry.1.Name': 'RequestID',
    'MessageAttributes.entry.1.Value.DataType': 'String',
    'MessageAttributes.entry.1.Value.StringValue': 'r-1',
    'MessageAttributes.entry.2.Name': 'ErrorCode',
    'MessageAttributes.entry.2.Value.DataType': 'Number',
    'MessageAttributes.entry.2.Value.StringValue': '200',
  };
  assert.deepEqual(first?.form, form);
  assert.deepEqual(second?.form, {
    ...form,
    ...{
      TopicArn: arnOf('t.fifo'),
      MessageGroupId: 'f',
      MessageDeduplicationId: 'r-1-dead-letter',
    },
  });
});

test('topics of other accounts and regions are refused without a word to the service', async (t) => {
  const { endpoint, received } = await service(t);
  const topics = topicsOf(t, endpoint);
  const publish = (topicArn: string, accountId: string) =>
    topics.publish({ topicArn, accountId }, message);
  await assert.rejects(publish(arnOf('t'), '111111111111'), failsWith('ACCESS_DENIED'));
  await assert.rejects(
    publish(arnOf('t', owner, 'eu-west-1'), owner),
    failsWith('QUEUE_NOT_FOUND'),
  );
  await assert.rejects(
    topics.describe({ topicArn: 'arn:aws:sns:x', accountId: owner }),
    failsWith('QUEUE_NOT_FOUND'),
  );
  const without = topicsOf(t, endpoint, { environment: {} });
  const keyless = without.publish({ topicArn: arnOf('t'), accountId: owner }, message);
  await assert.rejects(keyless, failsWith('QUEUE_DENIED'));
  assert.equal(received.length, 0);
});

test('what the service says is one of three things', async (t) => {
  const cases: [number, string, ErrorCode][] = [
    [404, '<ErrorResponse><Error><Code>NotFound</Code></Error></ErrorResponse>', 'QUEUE_NOT_FOUND'],
    [403, '<Error><Code>InvalidClientTokenId</Code></Error>', 'QUEUE_DENIED'],
    [403, 'no', 'QUEUE_DENIED'],
    [500, '<Error><Code>InternalFailure</Code></Error>', 'QUEUE_SERVICE_UNAVAILABLE'],
    [400, '<Error><Code>Throttling</Code></Error>', 'QUEUE_SERVICE_UNAVAILABLE'],
  ];
  for (const [status, body, code] of cases) {
    const { endpoint } = await service(t, () => ({ status, body }));
    const described = topicsOf(t, endpoint).describe({ topicArn: arnOf('t'), accountId: owner });
    await assert.rejects(described, failsWith(code), `${status} ${body}`);
  }
  const { endpoint } = await service(t);
  const gone = topicsOf(t, endpoint.replace(/:\d+$/, ':1'));
  const described = gone.describe({ topicArn: arnOf('t'), accountId: owner });
  await assert.rejects(described, failsWith('QUEUE_SERVICE_UNAVAILABLE'));
});

/** A call of moto's by the query protocol. */
async function ask(endpoint: string, form: Record<string, string>): Promise<string> {
  const credentials = { accessKeyId: 'k', secretAccessKey: 's' };
  const signer = new SignatureV4({
    service: 'sns',
    region: 'us-east-1',
    credentials,
    sha256: Sha256,
  });
  const { protocol, hostname, port, host } = new URL(endpoint);
  const body = new URLSearchParams({ Version: '2010-03-31', ...form }).toString();
  const { headers } = await signer.sign({
    ...{ method: 'POST', protocol, hostname, port: Number(port), path: '/', query: {}, body },
    headers: { host, 'content-type': 'application/x-www-form-urlencoded' },
  });
  const answer = await fetch(endpoint, { method: 'POST', headers, body });
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  return text;
}

test('moto’s topic takes a message and hands it to its queue', async (t) => {
  if (!hostHasMoto(t)) return;
  const { endpoint, stop } = await startMoto();
  t.after(stop);
  const credentials = { accessKeyId: 'k', secretAccessKey: 's' };
  const sqs = new SQSClient({ endpoint, region: 'us-east-1', credentials });
  t.after(() => sqs.destroy());
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'q' }));
  await ask(endpoint, { Action: 'CreateTopic', Name: 't' });
  const Endpoint = `arn:aws:sqs:us-east-1:${owner}:q`;
  await ask(endpoint, { Action: 'Subscribe', TopicArn: arnOf('t'), Protocol: 'sqs', Endpoint });
  const topics = topicsOf(t, endpoint);
  await topics.describe({ topicArn: arnOf('t'), accountId: owner });
  await topics.publish({ topicArn: arnOf('t'), accountId: owner }, message);
  const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5 }));
  const { Message, MessageAttributes } = JSON.parse(Messages?.[0]?.Body ?? '{}');
  assert.equal(Message, message.body);
  assert.deepEqual(MessageAttributes.ErrorCode, { Type: 'Number', Value: '200' });
  const absent = topics.describe({ topicArn: arnOf('absent'), accountId: owner });
  await assert.rejects(absent, failsWith('QUEUE_NOT_FOUND'));
});
