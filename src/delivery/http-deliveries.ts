import type { Agent } from 'undici';
import { type Clock, limits, SluiceError, undici, withDeadline } from '../base/mod.ts';
import { guardRefusal, OutboundGuard, type OutboundSettings } from '../outbound/mod.ts';
import type { Delivery, StoredEvent } from '../queue/mod.ts';

const AGENT = { connections: limits.queue.deliveryConnections };

/** Hands messages to webhooks, and to queues by their URL. */
export class HttpDeliveries {
  readonly #guard: OutboundGuard;
  #free: Agent | undefined;
  readonly #trusted: ReadonlySet<string>;
  readonly #clock: Clock;

  /** Accounts in `trusted` reach everything. */
  constructor(outbound: OutboundSettings, trusted: readonly string[], clock: Clock) {
    this.#guard = new OutboundGuard({ ...outbound, agent: AGENT });
    this.#trusted = new Set(trusted);
    this.#clock = clock;
  }

  /**
   * Resolves once the receiver has answered 2xx; a redirection is not followed. Rejects with
   * `API_REFUSED`, `DEADLINE_EXCEEDED`, `ACCESS_DENIED` and the connection's own errors.
   */
  async post(delivery: Delivery, event: StoredEvent): Promise<void> {
    const { target } = delivery;
    const url = new URL(target);
    const isTrusted = this.#trusted.has(event.accountId);
    const dispatcher = isTrusted ? this.#freeAgent() : this.#guard.agentFor(url);
    const queue = /\/\d{12}\/[A-Za-z0-9_-]+(\.fifo)?$/.test(url.pathname);
    const content = queue ? sqsContent(delivery, event) : webhookContent(delivery, event);
    const { deliveryTimeoutMs, deliveryAnswerBytes } = limits.queue;
    await withDeadline(this.#clock, deliveryTimeoutMs, `delivery to ${target}`, async (signal) => {
      const options = { method: 'POST', signal, dispatcher, ...content } as const;
      const { statusCode, body } = await undici().request(url, options).catch(refusalOf);
      await body.dump({ limit: deliveryAnswerBytes });
      if (statusCode >= 200 && statusCode < 300) return;
      throw new SluiceError('API_REFUSED', `${target}: answered ${statusCode}`, {
        data: { status: statusCode },
      });
    });
  }

  async close(): Promise<void> {
    await Promise.all([this.#guard.close(), this.#free?.destroy()]);
  }

  #freeAgent(): Agent {
    this.#free ??= new (undici().Agent)(AGENT);
    return this.#free;
  }
}

/** What the guard said comes wrapped by the connection. */
function refusalOf(error: unknown): never {
  throw guardRefusal(error) ?? error;
}

function webhookContent(delivery: Delivery, event: StoredEvent) {
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
function sqsContent(delivery: Delivery, event: StoredEvent) {
  const form = new URLSearchParams({
    Action: 'SendMessage',
    Version: '2012-11-05',
    QueueUrl: delivery.target,
    MessageBody: delivery.body,
  });
  if (delivery.target.endsWith('.fifo')) {
    form.set('MessageGroupId', event.functionName);
    form.set('MessageDeduplicationId', deduplicationId(delivery, event));
  }
  Object.entries(delivery.attributes).forEach(([name, value], index) => {
    const prefix = `MessageAttribute.${index + 1}`;
    form.set(`${prefix}.Name`, name);
    form.set(`${prefix}.Value.DataType`, attributeType(name));
    form.set(`${prefix}.Value.StringValue`, value);
  });
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return { headers, body: form.toString() };
}

/** The types of a dead letter's attributes (contract 2.10). */
export function attributeType(name: string): 'Number' | 'String' {
  return name === 'ErrorCode' ? 'Number' : 'String';
}

/** A delivery that is tried again is not a message more. */
export function deduplicationId(delivery: Delivery, event: StoredEvent): string {
  return `${event.requestId}-${delivery.kind}`;
}
