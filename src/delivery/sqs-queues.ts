import type { Message, SQSClient } from '@aws-sdk/client-sqs';
import { limits, SluiceError } from '../base/mod.ts';
import type { QueueSettings } from '../config/mod.ts';
import type { MessageSource, QueueMessage } from '../queue/mod.ts';
import type { QueueDirectory } from './events.ts';
import { sqsError } from './sqs-errors.ts';

type Sdk = typeof import('@aws-sdk/client-sqs');

/** What goes into a queue. */
export interface OutgoingMessage {
  readonly body: string;
  readonly attributes: Readonly<Record<string, { dataType: string; stringValue: string }>>;
  /** For a FIFO queue: messages of one group keep their order. */
  readonly group: string;
  /** For a FIFO queue: sent again, it is not a message more. */
  readonly deduplicationId: string;
}

interface QueueReference {
  readonly eventSourceArn: string;
  readonly accountId: string;
}

const queueArn = /^arn:aws[a-zA-Z-]*:sqs:([a-z0-9-]+):(\d{12}):([A-Za-z0-9_-]{1,80}(?:\.fifo)?)$/;

/**
 * The queues of the SQS-compatible service that the operator has set. One credential, the
 * operator's, reads them all, so this decides which account may use whose queues: its own, and
 * those of the owners that the settings give it.
 */
export class SqsQueues implements MessageSource, QueueDirectory {
  readonly #settings: QueueSettings;
  readonly #region: string;
  readonly #sdk: Sdk;
  readonly #client: SQSClient;
  /** Queue ARN → URL. */
  readonly #urls = new Map<string, string>();

  private constructor(settings: QueueSettings, region: string, sdk: Sdk) {
    const { endpoint } = settings;
    const { connections, connectMs, requestMs, receiveWaitSeconds } = limits.eventSources;
    this.#settings = settings;
    this.#region = region;
    this.#sdk = sdk;
    this.#client = new sdk.SQSClient({
      region,
      // The URLs that the service tells may name a host that is not reachable from here.
      ...(endpoint !== undefined && { endpoint, useQueueUrlAsEndpoint: false }),
      maxAttempts: 3,
      requestHandler: {
        connectionTimeout: connectMs,
        requestTimeout: receiveWaitSeconds * 1000 + requestMs,
        throwOnRequestTimeout: true,
        socketTimeout: receiveWaitSeconds * 1000 + requestMs,
        httpAgent: { maxSockets: connections, keepAlive: true },
        httpsAgent: { maxSockets: connections, keepAlive: true },
      },
    });
  }

  /** Loads the client only now: a region without queues does without it. */
  static async open(settings: QueueSettings, region: string): Promise<SqsQueues> {
    const sdk = await import('@aws-sdk/client-sqs');
    return new SqsQueues(settings, settings.region ?? region, sdk);
  }

  async describe(queue: QueueReference) {
    try {
      const answer = await this.#client.send(
        new this.#sdk.GetQueueAttributesCommand({
          QueueUrl: await this.#url(queue),
          AttributeNames: ['VisibilityTimeout'],
        }),
      );
      const visibilityTimeoutSeconds = Number(answer.Attributes?.['VisibilityTimeout'] ?? 0);
      return { visibilityTimeoutSeconds };
    } catch (error) {
      throw sqsError(error, queue.eventSourceArn);
    }
  }

  async receive(
    queue: QueueReference,
    { count, waitSeconds }: { readonly count: number; readonly waitSeconds: number },
    signal: AbortSignal,
  ): Promise<QueueMessage[]> {
    try {
      const answer = await this.#client.send(
        new this.#sdk.ReceiveMessageCommand({
          QueueUrl: await this.#url(queue),
          MaxNumberOfMessages: count,
          WaitTimeSeconds: waitSeconds,
          MessageAttributeNames: ['All'],
          MessageSystemAttributeNames: ['All'],
          // What services say that are older than the name above.
          AttributeNames: ['All'],
        }),
        { abortSignal: signal },
      );
      return (answer.Messages ?? []).map(queueMessage);
    } catch (error) {
      signal.throwIfAborted();
      throw this.#forgetting(queue, sqsError(error, queue.eventSourceArn));
    }
  }

  async remove(queue: QueueReference, messages: readonly QueueMessage[]): Promise<void> {
    const { messagesPerReceive } = limits.eventSources;
    const batches = Array.from(
      { length: Math.ceil(messages.length / messagesPerReceive) },
      (_, i) => messages.slice(i * messagesPerReceive, (i + 1) * messagesPerReceive),
    );
    await Promise.all(batches.map((batch) => this.#removeBatch(queue, batch)));
  }

  /** Resolves once the service holds the message. */
  async send(queue: QueueReference, message: OutgoingMessage, signal: AbortSignal): Promise<void> {
    const { body, attributes, group, deduplicationId } = message;
    const fifo = queue.eventSourceArn.endsWith('.fifo');
    try {
      await this.#client.send(
        new this.#sdk.SendMessageCommand({
          QueueUrl: await this.#url(queue),
          MessageBody: body,
          MessageAttributes: Object.fromEntries(
            Object.entries(attributes).map(([name, { dataType, stringValue }]) => [
              name,
              { DataType: dataType, StringValue: stringValue },
            ]),
          ),
          ...(fifo && { MessageGroupId: group, MessageDeduplicationId: deduplicationId }),
        }),
        { abortSignal: signal },
      );
    } catch (error) {
      signal.throwIfAborted();
      throw this.#forgetting(queue, sqsError(error, queue.eventSourceArn));
    }
  }

  close(): void {
    this.#client.destroy();
  }

  async #removeBatch(queue: QueueReference, messages: readonly QueueMessage[]): Promise<void> {
    let failed: readonly { Message?: string | undefined }[] | undefined;
    try {
      const answer = await this.#client.send(
        new this.#sdk.DeleteMessageBatchCommand({
          QueueUrl: await this.#url(queue),
          Entries: messages.map(({ receiptHandle }, i) => ({
            Id: String(i),
            ReceiptHandle: receiptHandle,
          })),
        }),
      );
      failed = answer.Failed;
    } catch (error) {
      throw sqsError(error, queue.eventSourceArn);
    }
    if (!failed?.length) return;
    throw new SluiceError(
      'QUEUE_SERVICE_UNAVAILABLE',
      `${queue.eventSourceArn}: ${failed.length} messages were not deleted: ${failed[0]?.Message}`,
    );
  }

  /** A queue that is gone may come again under another URL. */
  #forgetting(queue: QueueReference, error: SluiceError): SluiceError {
    if (error.code === 'QUEUE_NOT_FOUND') this.#urls.delete(queue.eventSourceArn);
    return error;
  }

  async #url({ eventSourceArn, accountId }: QueueReference): Promise<string> {
    const { ownerId, name } = this.#authorize(eventSourceArn, accountId);
    const known = this.#urls.get(eventSourceArn);
    if (known !== undefined) return known;
    const { QueueUrl = '' } = await this.#client.send(
      new this.#sdk.GetQueueUrlCommand({ QueueName: name, QueueOwnerAWSAccountId: ownerId }),
    );
    if (this.#urls.size >= limits.eventSources.queueUrls) this.#urls.clear();
    this.#urls.set(eventSourceArn, QueueUrl);
    return QueueUrl;
  }

  #authorize(arn: string, accountId: string): { ownerId: string; name: string } {
    const [, region, ownerId = '', name = ''] = queueArn.exec(arn) ?? [];
    if (region !== this.#region) {
      throw new SluiceError('QUEUE_NOT_FOUND', `${arn}: queues of ${this.#region} are read here`);
    }
    const granted = this.#settings.accounts[accountId] ?? [];
    if (ownerId === accountId || granted.includes(ownerId)) return { ownerId, name };
    throw new SluiceError('ACCESS_DENIED', `${arn}: a queue of another account than ${accountId}`);
  }
}

function queueMessage(message: Message): QueueMessage {
  const attributes = Object.entries(message.MessageAttributes ?? {}).map(([name, attribute]) => {
    const { DataType: dataType = 'String', StringValue, BinaryValue } = attribute;
    const binaryValue = BinaryValue && Buffer.from(BinaryValue).toString('base64');
    const text = StringValue === undefined ? {} : { stringValue: StringValue };
    return [name, { ...text, ...(binaryValue && { binaryValue }), dataType }] as const;
  });
  return {
    messageId: message.MessageId ?? '',
    receiptHandle: message.ReceiptHandle ?? '',
    body: message.Body ?? '',
    md5OfBody: message.MD5OfBody ?? '',
    attributes: { ...message.Attributes },
    messageAttributes: Object.fromEntries(attributes),
    md5OfMessageAttributes: message.MD5OfMessageAttributes,
  };
}
