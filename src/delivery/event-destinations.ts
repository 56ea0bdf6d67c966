import { type Clock, limits, type Random, SluiceError, withDeadline } from '../base/mod.ts';
import type { Delivery, Destinations, StoredEvent } from '../queue/mod.ts';
import type { DirectoryDeliveries } from './directory-deliveries.ts';
import type { ConfigurerRights, QueuedEvent, TopicReference } from './events.ts';
import { attributeType, deduplicationId, type HttpDeliveries } from './http-deliveries.ts';
import type { OutgoingMessage } from './sqs-queues.ts';

const functionArnPattern =
  /^arn:aws[a-zA-Z-]*:lambda:[a-z0-9-]+:(\d{12}):function:([a-zA-Z0-9-_]+)(?::([a-zA-Z0-9-_$]+))?$/;
const queueArnPattern = /^arn:aws[a-zA-Z-]*:sqs:/;
const topicArnPattern = /^arn:aws[a-zA-Z-]*:sns:/;

/** The queues that ARNs name. */
export interface QueueSender {
  /** Rejects with `ACCESS_DENIED` for a queue that is not the account's. */
  send(
    queue: { readonly eventSourceArn: string; readonly accountId: string },
    message: OutgoingMessage,
    signal: AbortSignal,
  ): Promise<void>;
}

/** The topics that ARNs name. */
export interface TopicPublisher {
  /** Rejects with `ACCESS_DENIED` for a topic that is not the account's. */
  publish(topic: TopicReference, message: OutgoingMessage, signal: AbortSignal): Promise<void>;
}

export interface EventDestinationsOptions {
  readonly directories: DirectoryDeliveries;
  readonly http: HttpDeliveries;
  /** Absent where no queues are set. */
  readonly queues?: QueueSender | undefined;
  /** Absent where no topics are set. */
  readonly topics?: TopicPublisher | undefined;
  readonly rights: ConfigurerRights;
  readonly enqueue: (event: QueuedEvent) => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Hands an ended event over to where its function's configuration says: another function of the
 * same account, a queue or a topic (by ARN), an HTTP webhook or SQS-compatible queue (by URL), or a directory
 * of the region (`directory:NAME`), which is the account's own: a tenant chooses no path of the host.
 */
export class EventDestinations implements Destinations {
  readonly #options: EventDestinationsOptions;

  constructor(options: EventDestinationsOptions) {
    this.#options = options;
  }

  async deliver(delivery: Delivery, event: StoredEvent): Promise<void> {
    const { target } = delivery;
    const functionArn = functionArnPattern.exec(target);
    if (functionArn) return this.#invoke(delivery, event, functionArn);
    if (queueArnPattern.test(target)) return this.#send(delivery, event);
    if (topicArnPattern.test(target)) return this.#publish(delivery, event);
    const directory = /^directory:([A-Za-z0-9_-]{1,64})$/.exec(target)?.[1];
    if (directory) return this.#options.directories.write(delivery, event, directory);
    if (/^https?:/.test(target)) return this.#options.http.post(delivery, event);
    throw new SluiceError(
      'CONFIG_INVALID',
      `${target}: a destination is the ARN of a function, queue or topic, an http(s) URL, or directory:NAME`,
    );
  }

  async #invoke(delivery: Delivery, event: StoredEvent, arn: RegExpExecArray): Promise<void> {
    const [, accountId = '', functionName = '', qualifier] = arn;
    if (accountId !== event.accountId) {
      throw new SluiceError('ACCESS_DENIED', `${delivery.target}: a function of another account`);
    }
    const { configuredBy } = delivery;
    const target = { accountId, functionName, qualifier };
    // He may have lost the right, or his keys, since he named it.
    if (configuredBy && !(await this.#options.rights.mayInvoke(configuredBy, target))) {
      throw noLonger(delivery);
    }
    await this.#options.enqueue({
      accountId,
      functionName,
      qualifier,
      requestId: this.#options.random.uuid(),
      traceId: event.traceId,
      payload: Buffer.from(delivery.body),
      receivedMs: this.#options.clock.nowMs(),
    });
  }

  async #send(delivery: Delivery, event: StoredEvent): Promise<void> {
    const { target: eventSourceArn } = delivery;
    const queues = this.#options.queues;
    if (!queues) {
      throw new SluiceError('CONFIG_INVALID', `${eventSourceArn}: no queues are set; see sqs`);
    }
    await this.#requireSender(delivery, event);
    const message = messageOf(delivery, event);
    const { clock } = this.#options;
    const what = `delivery to ${eventSourceArn}`;
    await withDeadline(clock, limits.queue.deliveryTimeoutMs, what, (signal) =>
      queues.send({ eventSourceArn, accountId: event.accountId }, message, signal),
    );
  }

  /** As with a function: what he may send to now. */
  async #requireSender(delivery: Delivery, { accountId }: StoredEvent): Promise<void> {
    const { configuredBy, target } = delivery;
    if (!configuredBy) return;
    if (!(await this.#options.rights.maySend(configuredBy, accountId, target))) {
      throw noLonger(delivery);
    }
  }

  async #publish(delivery: Delivery, event: StoredEvent): Promise<void> {
    const { target: topicArn } = delivery;
    const { topics, clock } = this.#options;
    if (!topics) {
      throw new SluiceError('CONFIG_INVALID', `${topicArn}: no topics are set; see sns`);
    }
    await this.#requireSender(delivery, event);
    const message = messageOf(delivery, event);
    const what = `delivery to ${topicArn}`;
    await withDeadline(clock, limits.queue.deliveryTimeoutMs, what, (signal) =>
      topics.publish({ topicArn, accountId: event.accountId }, message, signal),
    );
  }
}

function noLonger({ target, configuredBy }: Delivery): SluiceError {
  return new SluiceError('ACCESS_DENIED', `${target}: not for ${configuredBy} any more`);
}

function messageOf(delivery: Delivery, event: StoredEvent): OutgoingMessage {
  return {
    body: delivery.body,
    attributes: Object.fromEntries(
      Object.entries(delivery.attributes).map(([name, stringValue]) => [
        name,
        { dataType: attributeType(name), stringValue },
      ]),
    ),
    group: event.functionName,
    deduplicationId: deduplicationId(delivery, event),
  };
}
