import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, limits, type Random, SluiceError, withDeadline } from '../base/mod.ts';
import type { QueuedEvent } from '../frontend/mod.ts';
import type { Delivery, Destinations, StoredEvent } from '../queue/mod.ts';

const functionArnPattern =
  /^arn:aws[a-zA-Z-]*:lambda:[a-z0-9-]+:(\d{12}):function:([a-zA-Z0-9-_]+)(?::([a-zA-Z0-9-_$]+))?$/;

export interface EventDestinationsOptions {
  /** Where directories of accounts are made. */
  readonly directory: string;
  readonly enqueue: (event: QueuedEvent) => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Hands an ended event over to where its function's configuration says: another function of the
 * same account (by ARN), an HTTP webhook or SQS-compatible queue (by URL), or a directory of the
 * region (`directory:NAME`), which is the account's own: a tenant chooses no path of the host.
 */
export class EventDestinations implements Destinations {
  readonly #root: string;
  readonly #enqueue: (event: QueuedEvent) => Promise<void>;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(options: EventDestinationsOptions) {
    this.#root = options.directory;
    this.#enqueue = options.enqueue;
    this.#clock = options.clock;
    this.#random = options.random;
  }

  async deliver(delivery: Delivery, event: StoredEvent): Promise<void> {
    const { target } = delivery;
    const functionArn = functionArnPattern.exec(target);
    if (functionArn) return this.#invoke(delivery, event, functionArn);
    const directory = /^directory:([A-Za-z0-9_-]{1,64})$/.exec(target)?.[1];
    if (directory) return this.#write(delivery, event, directory);
    if (target.startsWith('http:') || target.startsWith('https:'))
      return this.#post(delivery, event);
    throw new SluiceError(
      'CONFIG_INVALID',
      `${target}: a destination is a function's ARN, an http(s) URL, or directory:NAME`,
    );
  }

  async #invoke(delivery: Delivery, event: StoredEvent, arn: RegExpExecArray): Promise<void> {
    const [, accountId = '', functionName = '', qualifier] = arn;
    if (accountId !== event.accountId) {
      throw new SluiceError('ACCESS_DENIED', `${delivery.target}: a function of another account`);
    }
    await this.#enqueue({
      accountId,
      functionName,
      qualifier,
      requestId: this.#random.uuid(),
      traceId: event.traceId,
      payload: Buffer.from(delivery.body),
      receivedMs: this.#clock.nowMs(),
    });
  }

  /** A file a message, whole or not at all. */
  async #write(delivery: Delivery, event: StoredEvent, name: string): Promise<void> {
    const directory = join(this.#root, event.accountId, name);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, `${event.requestId}-${delivery.kind}.json`);
    await writeFile(`${path}.new`, delivery.body, { flush: true });
    await rename(`${path}.new`, path);
  }

  async #post(delivery: Delivery, event: StoredEvent): Promise<void> {
    const queue = /\/\d{12}\/[A-Za-z0-9_-]+(\.fifo)?$/.test(new URL(delivery.target).pathname);
    const request = queue ? sqsRequest(delivery) : webhookRequest(delivery, event);
    const { deliveryTimeoutMs } = limits.queue;
    const what = `delivery to ${delivery.target}`;
    await withDeadline(this.#clock, deliveryTimeoutMs, what, async (signal) => {
      const response = await fetch(delivery.target, { method: 'POST', signal, ...request });
      await response.arrayBuffer();
      if (response.ok) return;
      throw new SluiceError('API_REFUSED', `${delivery.target}: answered ${response.status}`, {
        data: { status: response.status },
      });
    });
  }
}

function webhookRequest(delivery: Delivery, event: StoredEvent) {
  const attributes = Object.entries(delivery.attributes).map(
    ([name, value]) =>
      [`x-sluice-${name.toLowerCase()}`, value.replaceAll(/[^ -~]/g, '?')] as const,
  );
  return {
    headers: {
      'content-type': 'application/json',
      'x-sluice-request-id': event.requestId,
      ...Object.fromEntries(attributes),
    },
    body: delivery.body,
  };
}

/** `SendMessage` of SQS's query protocol, which its look-alikes speak. */
function sqsRequest(delivery: Delivery) {
  const form = new URLSearchParams({
    Action: 'SendMessage',
    Version: '2012-11-05',
    QueueUrl: delivery.target,
    MessageBody: delivery.body,
  });
  Object.entries(delivery.attributes).forEach(([name, value], index) => {
    const prefix = `MessageAttribute.${index + 1}`;
    form.set(`${prefix}.Name`, name);
    form.set(`${prefix}.Value.DataType`, name === 'ErrorCode' ? 'Number' : 'String');
    form.set(`${prefix}.Value.StringValue`, value);
  });
  return { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: form };
}
