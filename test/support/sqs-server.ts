import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

interface StoredMessage {
  readonly id: string;
  readonly body: string;
  readonly attributes: Record<string, object>;
  readonly sentMs: number;
  readonly group: string | undefined;
  receipt: string;
  receives: number;
  firstReceivedMs: number;
  visibleAtMs: number;
}

export interface SqsQueue {
  readonly arn: string;
  readonly url: string;
  visibilityTimeoutSeconds: number;
  readonly redrive?: { deadLetterTargetArn: string; maxReceiveCount: number };
  readonly messages: StoredMessage[];
}

/** What the operations' bodies may hold. */
interface SqsRequest {
  QueueName?: string;
  QueueUrl?: string;
  QueueOwnerAWSAccountId?: string;
  Attributes?: Record<string, string>;
  MessageBody?: string;
  MessageAttributes?: Record<string, object>;
  MessageGroupId?: string;
  MaxNumberOfMessages?: number;
  WaitTimeSeconds?: number;
  Entries?: { Id: string; ReceiptHandle?: string; MessageBody?: string }[];
}

const md5 = (text: string) => createHash('md5').update(text).digest('hex');

/**
 * Amazon SQS's JSON protocol in this process, as far as event sources and destinations use it:
 * long polling, visibility timeouts, dead letter queues by receive count.
 */
export class SqsServer {
  readonly queues = new Map<string, SqsQueue>();
  /** Operations in the order of their arrival. */
  readonly calls: { operation: string; accessKeyId: string }[] = [];
  /** Answered with 503 while set. */
  down = false;
  readonly #accountId: string;
  readonly #server = createServer((request, response) => {
    this.#serve(request, response).catch((error) => response.destroy(error));
  });
  #endpoint = '';
  #closed = false;

  constructor(accountId = '000000000000') {
    this.#accountId = accountId;
  }

  get endpoint(): string {
    return this.#endpoint;
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.#endpoint = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this.#endpoint;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** Makes a queue without asking over HTTP. */
  create(name: string, attributes: Record<string, string> = {}): SqsQueue {
    const redrive = attributes['RedrivePolicy'];
    const queue: SqsQueue = {
      arn: `arn:aws:sqs:us-east-1:${this.#accountId}:${name}`,
      // A host that nobody can reach: clients have to stay with the endpoint that they know.
      url: `http://sqs.invalid/${this.#accountId}/${name}`,
      visibilityTimeoutSeconds: Number(attributes['VisibilityTimeout'] ?? 30),
      ...(redrive && { redrive: JSON.parse(redrive) }),
      messages: [],
    };
    this.queues.set(name, queue);
    return queue;
  }

  send(name: string, body: string, request: SqsRequest = {}): string {
    const id = randomUUID();
    this.queues.get(name)?.messages.push({
      ...{ id, body, attributes: request.MessageAttributes ?? {}, sentMs: Date.now() },
      group: request.MessageGroupId,
      ...{ receipt: '', receives: 0, firstReceivedMs: 0, visibleAtMs: 0 },
    });
    return id;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const operation = String(request.headers['x-amz-target']).replace('AmazonSQS.', '');
    const [, accessKeyId = ''] =
      /Credential=([^/]+)/.exec(request.headers.authorization ?? '') ?? [];
    this.calls.push({ operation, accessKeyId });
    const answer = (status: number, body: object) => {
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' });
      response.end(JSON.stringify(body));
    };
    if (this.down) return answer(503, { __type: 'ServiceUnavailable' });
    const input = JSON.parse(Buffer.concat(parts).toString() || '{}') as SqsRequest;
    const body = await this.#perform(operation, input, request);
    if (body) return answer(200, body);
    answer(400, {
      __type: 'com.amazonaws.sqs#QueueDoesNotExist',
      message: 'The specified queue does not exist.',
    });
  }

  async #perform(
    operation: string,
    input: SqsRequest,
    request: IncomingMessage,
  ): Promise<object | undefined> {
    const name = input.QueueName ?? input.QueueUrl?.split('/').at(-1) ?? '';
    if (operation === 'CreateQueue') return { QueueUrl: this.create(name, input.Attributes).url };
    const queue = this.queues.get(name);
    const ownerId = input.QueueOwnerAWSAccountId ?? this.#accountId;
    if (!queue || ownerId !== this.#accountId) return undefined;
    switch (operation) {
      case 'GetQueueUrl':
        return { QueueUrl: queue.url };
      case 'GetQueueAttributes':
        return { Attributes: { VisibilityTimeout: String(queue.visibilityTimeoutSeconds) } };
      case 'SendMessage': {
        const body = input.MessageBody ?? '';
        return { MessageId: this.send(name, body, input), MD5OfMessageBody: md5(body) };
      }
      case 'SendMessageBatch': {
        const sent = input.Entries?.map(({ Id, MessageBody: body = '' }) => {
          return { Id, MessageId: this.send(name, body), MD5OfMessageBody: md5(body) };
        });
        return { Successful: sent, Failed: [] };
      }
      case 'ReceiveMessage':
        return this.#receive(queue, input, request);
      case 'DeleteMessageBatch': {
        const receipts = new Set(input.Entries?.map((each) => each.ReceiptHandle));
        const kept = queue.messages.filter((each) => !receipts.has(each.receipt));
        queue.messages.splice(0, queue.messages.length, ...kept);
        return { Successful: input.Entries?.map(({ Id }) => ({ Id })), Failed: [] };
      }
      default:
        throw new Error(`${operation}: not imitated`);
    }
  }

  async #receive(queue: SqsQueue, input: SqsRequest, request: IncomingMessage): Promise<object> {
    const endMs = Date.now() + (input.WaitTimeSeconds ?? 0) * 1000;
    for (;;) {
      if (this.#closed || request.socket.destroyed) return { Messages: [] };
      const Messages = this.#take(queue, input.MaxNumberOfMessages ?? 1);
      if (Messages.length > 0 || Date.now() >= endMs) return { Messages };
      await sleep(20);
    }
  }

  #take(queue: SqsQueue, count: number): object[] {
    const nowMs = Date.now();
    const taken: object[] = [];
    for (const message of [...queue.messages]) {
      if (taken.length === count) break;
      if (message.visibleAtMs > nowMs) continue;
      if (queue.redrive && message.receives >= Number(queue.redrive.maxReceiveCount)) {
        this.#redrive(queue, message);
        continue;
      }
      message.receives++;
      message.firstReceivedMs ||= nowMs;
      message.visibleAtMs = nowMs + queue.visibilityTimeoutSeconds * 1000;
      message.receipt = randomUUID();
      taken.push(rendered(message));
    }
    return taken;
  }

  #redrive(queue: SqsQueue, message: StoredMessage): void {
    queue.messages.splice(queue.messages.indexOf(message), 1);
    const target = queue.redrive?.deadLetterTargetArn.split(':').at(-1) ?? '';
    this.queues.get(target)?.messages.push({ ...message, visibleAtMs: 0 });
  }
}

function rendered(message: StoredMessage): object {
  return {
    MessageId: message.id,
    ReceiptHandle: message.receipt,
    Body: message.body,
    MD5OfBody: md5(message.body),
    Attributes: {
      SenderId: 'AIDAEXAMPLE',
      SentTimestamp: String(message.sentMs),
      ApproximateReceiveCount: String(message.receives),
      ApproximateFirstReceiveTimestamp: String(message.firstReceivedMs),
      ...(message.group && { MessageGroupId: message.group }),
    },
    ...(Object.keys(message.attributes).length > 0 && { MessageAttributes: message.attributes }),
  };
}
