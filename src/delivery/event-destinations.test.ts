import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { isSluiceError, limits, SeededRandom, SluiceError, VirtualClock } from '../base/mod.ts';
import type { Delivery, StoredEvent } from '../queue/mod.ts';
import { DirectoryDeliveries } from './directory-deliveries.ts';
import { EventDestinations, type QueueSender, type TopicPublisher } from './event-destinations.ts';
import type { QueuedEvent } from './events.ts';
import { HttpDeliveries } from './http-deliveries.ts';
import type { OutgoingMessage } from './sqs-queues.ts';

const event: StoredEvent = {
  eventId: 1,
  accountId: '000000000000',
  functionName: 'f',
  requestId: 'r-1',
  traceId: 'Root=1-2-3',
  payload: Buffer.from('{"n":1}'),
  receivedMs: 1,
  visibleAtMs: 1,
  invokes: 3,
  refusals: 0,
};
const tenantEvent = { ...event, accountId: '111111111111' };
const destination = (target: string): Delivery => ({
  ...{ kind: 'destination', target, body: '{"version":"1.0"}', attributes: {} },
});
const deadLetter = (target: string): Delivery => ({
  kind: 'dead-letter',
  target,
  body: '{"n":1}',
  attributes: { RequestID: 'r-1', ErrorCode: '200', ErrorMessage: 'no\nwäy' },
});
const failsWith = (code: Parameters<typeof isSluiceError>[1]) => (error: unknown) =>
  isSluiceError(error, code);

function setUp(
  t: TestContext,
  given: {
    queues?: QueueSender;
    topics?: TopicPublisher;
    allow?: string[];
    bytesPerAccount?: number;
  } = {},
) {
  const clock = new VirtualClock(1_763_700_000_000);
  const directory = temporaryDirectory(t);
  const enqueued: QueuedEvent[] = [];
  const isTrusted = async (arn: string) => arn.endsWith(':user/trusted');
  const rights = { mayInvoke: isTrusted, maySend: isTrusted };
  const http = new HttpDeliveries({ allow: given.allow ?? [] }, ['000000000000'], clock);
  t.after(() => http.close());
  const destinations = new EventDestinations({
    directories: new DirectoryDeliveries(directory, given.bytesPerAccount ?? 1024 * 1024),
    ...{
      http,
      clock,
      rights,
      queues: given.queues,
      topics: given.topics,
      random: new SeededRandom(1),
    },
    enqueue: async (each) => {
      enqueued.push(each);
    },
  });
  return { destinations, clock, directory, enqueued };
}

interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A receiver that answers what a test says; never, for status 0. */
async function receiver(t: TestContext, status = 200, headers: Record<string, string> = {}) {
  const received: Received[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    let body = '';
    for await (const part of request) body += part;
    received.push({ path: request.url ?? '', headers: request.headers, body });
    if (status > 0) response.writeHead(status, headers).end('x'.repeat(200_000));
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { received, port, url: `http://127.0.0.1:${port}` };
}

test('a queue or topic is sent to for who named it, only while he might do so himself', async (t) => {
  const sent: string[] = [];
  const send = async ({ eventSourceArn }: { eventSourceArn: string }) => {
    sent.push(eventSourceArn);
  };
  const publish = async ({ topicArn }: { topicArn: string }) => {
    sent.push(topicArn);
  };
  const { destinations } = setUp(t, { queues: { send }, topics: { publish } });
  for (const service of ['sqs', 'sns']) {
    const arn = `arn:aws:${service}:us-east-1:000000000000:q`;
    const by = (name: string): Delivery => ({
      ...destination(arn),
      configuredBy: `arn:aws:iam::000000000000:user/${name}`,
    });
    const deliver = (delivery: Delivery) => destinations.deliver(delivery, event);
    await deliver(by('trusted'));
    await assert.rejects(deliver(by('other')), failsWith('ACCESS_DENIED'));
    assert.deepEqual(sent.splice(0), [arn]);
  }
});

test('a function is invoked for who named it, only while he might do so himself', async (t) => {
  const { destinations, enqueued } = setUp(t);
  const arn = 'arn:aws:lambda:us-east-1:000000000000:function:g';
  const by = (name: string): Delivery => ({
    ...destination(arn),
    configuredBy: `arn:aws:iam::000000000000:user/${name}`,
  });
  await destinations.deliver(by('trusted'), event);
  await assert.rejects(destinations.deliver(by('gone'), event), failsWith('ACCESS_DENIED'));
  assert.equal(enqueued.length, 1);
});

test('a function of the account gets the record as an event of its own', async (t) => {
  const { destinations, enqueued, clock } = setUp(t);
  const arn = 'arn:aws:lambda:us-east-1:000000000000:function:g:live';
  await destinations.deliver(destination(arn), event);
  const [{ requestId, payload, ...rest } = assert.fail()] = enqueued;
  assert.notEqual(requestId, event.requestId);
  assert.equal(payload.toString(), '{"version":"1.0"}');
  assert.deepEqual(rest, {
    accountId: '000000000000',
    functionName: 'g',
    qualifier: 'live',
    traceId: event.traceId,
    receivedMs: clock.nowMs(),
  });
  const foreign = destinations.deliver(destination(arn), tenantEvent);
  await assert.rejects(foreign, failsWith('ACCESS_DENIED'));
});

test('a directory of the account gets a file a message, also when it comes twice', async (t) => {
  const { destinations, directory } = setUp(t);
  await destinations.deliver(destination('directory:done'), event);
  await destinations.deliver(destination('directory:done'), event);
  await destinations.deliver(deadLetter('directory:done'), event);
  const path = join(directory, event.accountId, 'done');
  assert.deepEqual(readdirSync(path).sort(), ['r-1-dead-letter.json', 'r-1-destination.json']);
  assert.equal(readFileSync(join(path, 'r-1-destination.json'), 'utf8'), '{"version":"1.0"}');
  assert.equal(statSync(path).mode & 0o777, 0o700);
  for (const name of ['', '..', 'a/b', '.', 'a.b', 'x'.repeat(65)]) {
    const escaping = destinations.deliver(destination(`directory:${name}`), event);
    await assert.rejects(escaping, failsWith('CONFIG_INVALID'), name);
  }
});

test('an account’s directories share one limit, whatever their names', async (t) => {
  const { destinations, directory } = setUp(t, { bytesPerAccount: 3 * 4096 });
  const write = (n: number, of = event) =>
    destinations.deliver(destination(`directory:d${n}`), { ...of, requestId: `r-${n}` });
  for (const n of [1, 2, 3]) await write(n);
  await assert.rejects(write(4), failsWith('OVERLOADED'));
  await write(4, tenantEvent);
  rmSync(join(directory, event.accountId, 'd2', 'r-2-destination.json'));
  await write(4);
  await assert.rejects(write(5), failsWith('OVERLOADED'));
  const again = new DirectoryDeliveries(directory, 3 * 4096);
  const late = again.write(destination('directory:d6'), event, 'd6');
  await assert.rejects(late, failsWith('OVERLOADED'), 'also after a restart');
});

test('a webhook gets the body, and a dead letter’s attributes as headers', async (t) => {
  const { destinations } = setUp(t);
  const { received, url } = await receiver(t);
  await destinations.deliver(destination(`${url}/hook`), event);
  await destinations.deliver(deadLetter(`${url}/hook`), event);
  assert.deepEqual(
    received.map(({ path, body }) => [path, body]),
    [
      ['/hook', '{"version":"1.0"}'],
      ['/hook', '{"n":1}'],
    ],
  );
  const headers = received[1]?.headers ?? {};
  assert.equal(headers['content-type'], 'application/json');
  assert.equal(headers['x-sluice-request-id'], 'r-1');
  assert.equal(headers['x-sluice-errorcode'], '200');
  assert.equal(headers['x-sluice-errormessage'], 'no?w?y', 'no line breaks out of a header');
});

test('a receiver that refuses, redirects or is silent counts as not reached', async (t) => {
  const { destinations, clock } = setUp(t);
  const refusing = await receiver(t, 503);
  const refused = destinations.deliver(destination(refusing.url), event);
  await assert.rejects(refused, failsWith('API_REFUSED'));
  const elsewhere = await receiver(t);
  const moved = await receiver(t, 307, { location: elsewhere.url });
  const redirected = destinations.deliver(destination(moved.url), event);
  await assert.rejects(redirected, failsWith('API_REFUSED'));
  assert.equal(elsewhere.received.length, 0);
  const silent = await receiver(t, 0);
  const waiting = destinations.deliver(destination(silent.url), event);
  const late = assert.rejects(waiting, failsWith('DEADLINE_EXCEEDED'));
  while (silent.received.length === 0) await new Promise((resolve) => setImmediate(resolve));
  clock.jump(limits.queue.deliveryTimeoutMs);
  await late;
  const closed = destinations.deliver(destination('http://127.0.0.1:1/'), event);
  await assert.rejects(closed);
});

test('a queue’s URL gets SendMessage in the query protocol', async (t) => {
  const { destinations } = setUp(t);
  const { received, url } = await receiver(t);
  await destinations.deliver(deadLetter(`${url}/000000000000/q.fifo`), event);
  assert.deepEqual(Object.fromEntries(new URLSearchParams(received[0]?.body)), {
    Action: 'SendMessage',
    Version: '2012-11-05',
    QueueUrl: `${url}/000000000000/q.fifo`,
    MessageBody: '{"n":1}',
    MessageGroupId: 'f',
    MessageDeduplicationId: 'r-1-dead-letter',
    'MessageAttribute.1.Name': 'RequestID',
    'MessageAttribute.1.Value.DataType': 'String',
    'MessageAttribute.1.Value.StringValue': 'r-1',
    'MessageAttribute.2.Name': 'ErrorCode',
    'MessageAttribute.2.Value.DataType': 'Number',
    'MessageAttribute.2.Value.StringValue': '200',
    'MessageAttribute.3.Name': 'ErrorMessage',
    'MessageAttribute.3.Value.DataType': 'String',
    'MessageAttribute.3.Value.StringValue': 'no\nwäy',
  });
});

test('a queue’s ARN is sent to through the region’s queues', async (t) => {
  const sent: { queue: object; message: OutgoingMessage }[] = [];
  const queues: QueueSender = {
    async send(queue, message) {
      if (queue.accountId !== '000000000000') throw new SluiceError('ACCESS_DENIED', 'not theirs');
      sent.push({ queue, message });
    },
  };
  const { destinations } = setUp(t, { queues });
  const eventSourceArn = 'arn:aws:sqs:us-east-1:000000000000:q';
  await destinations.deliver(deadLetter(eventSourceArn), event);
  assert.deepEqual(sent, [
    {
      queue: { eventSourceArn, accountId: '000000000000' },
      message: {
        body: '{"n":1}',
        attributes: {
          RequestID: { dataType: 'String', stringValue: 'r-1' },
          ErrorCode: { dataType: 'Number', stringValue: '200' },
          ErrorMessage: { dataType: 'String', stringValue: 'no\nwäy' },
        },
        group: 'f',
        deduplicationId: 'r-1-dead-letter',
      },
    },
  ]);
  const foreign = destinations.deliver(destination(eventSourceArn), tenantEvent);
  await assert.rejects(foreign, failsWith('ACCESS_DENIED'));
  const without = setUp(t).destinations.deliver(destination(eventSourceArn), event);
  await assert.rejects(without, failsWith('CONFIG_INVALID'));
});

test('a topic’s ARN is published to through the region’s topics', async (t) => {
  const sent: { topic: object; message: OutgoingMessage }[] = [];
  const topics: TopicPublisher = {
    publish: async (topic, message) => void sent.push({ topic, message }),
  };
  const topicArn = 'arn:aws:sns:us-east-1:000000000000:t';
  await setUp(t, { topics }).destinations.deliver(deadLetter(topicArn), event);
  const [{ topic, message } = assert.fail()] = sent;
  assert.deepEqual(topic, { topicArn, accountId: '000000000000' });
  assert.deepEqual(message.attributes['ErrorCode'], { dataType: 'Number', stringValue: '200' });
  assert.equal(message.body, '{"n":1}');
  const without = setUp(t).destinations.deliver(destination(topicArn), event);
  await assert.rejects(without, failsWith('CONFIG_INVALID'));
});

test('a tenant reaches nothing on the host unless the operator allows it', async (t) => {
  const { received, port } = await receiver(t);
  const { destinations } = setUp(t);
  const hosts = ['127.0.0.1', 'localhost', '[::1]', '0.0.0.0', '2130706433', '[::ffff:127.0.0.1]'];
  for (const host of hosts) {
    for (const path of ['hook', '000000000000/q']) {
      const target = `http://${host}:${port}/${path}`;
      const delivered = destinations.deliver(destination(target), tenantEvent);
      await assert.rejects(delivered, failsWith('ACCESS_DENIED'), target);
    }
  }
  assert.equal(received.length, 0);
  const allowed = setUp(t, { allow: ['localhost'] }).destinations;
  await allowed.deliver(destination(`http://localhost:${port}/hook`), tenantEvent);
  assert.equal(received.length, 1);
});

test('what is not a destination is refused as such', async (t) => {
  const { destinations } = setUp(t);
  for (const target of ['', 'ftp://host/', 'arn:aws:sns:us-east-1:000000000000:t', 'file:///etc']) {
    const delivered = destinations.deliver(destination(target), event);
    await assert.rejects(delivered, failsWith('CONFIG_INVALID'), target);
  }
});
