import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { type Clock, limits, SluiceError, undici, withDeadline } from '../base/mod.ts';
import type { QueueSettings } from '../config/mod.ts';
import { guardRefusal, OutboundGuard, type OutboundSettings } from '../outbound/mod.ts';
import type { TopicDirectory, TopicReference } from './events.ts';
import type { OutgoingMessage } from './sqs-queues.ts';

export interface SnsTopicsOptions {
  readonly settings: QueueSettings;
  /** Of the region, where the settings name none. */
  readonly region: string;
  readonly outbound: OutboundSettings;
  /** Where the operator's keys are: `AWS_ACCESS_KEY_ID` and the like. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
}

const API_VERSION = '2010-03-31';
const topicArn = /^arn:aws[a-zA-Z-]*:sns:([a-z0-9-]+):(\d{12}):[A-Za-z0-9_-]{1,256}(?:\.fifo)?$/;

/** Error codes that a retry does not change (SNS API reference, Publish and common errors). */
const absent = /^(NotFound|NotFoundException|InvalidParameter)$/;
const denied =
  /^(AuthorizationError|AccessDenied|InvalidClientTokenId|SignatureDoesNotMatch|ExpiredToken|InvalidSecurity|MissingAuthenticationToken|OptInRequired)/;

/**
 * The topics of the SNS-compatible service that the operator has set, by SNS's query protocol. One
 * credential, the operator's, publishes to all of them, so this decides which account may use whose
 * topics: its own, and those of the owners that the settings give it.
 */
export class SnsTopics implements TopicDirectory {
  readonly #options: SnsTopicsOptions;
  readonly #region: string;
  readonly #endpoint: URL;
  readonly #guard: OutboundGuard;

  constructor(options: SnsTopicsOptions) {
    const { settings, region, outbound } = options;
    this.#options = options;
    this.#region = settings.region ?? region;
    this.#endpoint = new URL(settings.endpoint ?? `https://sns.${this.#region}.amazonaws.com`);
    // The operator named this host, and no tenant can name another.
    const own = settings.endpoint === undefined ? [] : [this.#endpoint.hostname];
    this.#guard = new OutboundGuard({
      ...outbound,
      allow: [...outbound.allow, ...own],
      agent: { connections: limits.queue.deliveryConnections },
    });
  }

  /** Rejects as `publish` does. */
  async describe(topic: TopicReference, signal?: AbortSignal): Promise<void> {
    await this.#call(topic, { Action: 'GetTopicAttributes' }, signal);
  }

  /**
   * Resolves once the service holds the message. Rejects with `ACCESS_DENIED` for a topic that is
   * not the account's, `QUEUE_NOT_FOUND`, `QUEUE_DENIED` and `QUEUE_SERVICE_UNAVAILABLE`.
   */
  async publish(
    topic: TopicReference,
    { body, attributes, group, deduplicationId }: OutgoingMessage,
    signal?: AbortSignal,
  ): Promise<void> {
    const parameters: Record<string, string> = { Action: 'Publish', Message: body };
    for (const [index, [name, value]] of Object.entries(attributes).entries()) {
      const prefix = `MessageAttributes.entry.${index + 1}`;
      parameters[`${prefix}.Name`] = name;
      parameters[`${prefix}.Value.DataType`] = value.dataType;
      parameters[`${prefix}.Value.StringValue`] = value.stringValue;
    }
    if (topic.topicArn.endsWith('.fifo')) {
      Object.assign(parameters, {
        MessageGroupId: group,
        MessageDeduplicationId: deduplicationId,
      });
    }
    await this.#call(topic, parameters, signal);
  }

  async close(): Promise<void> {
    await this.#guard.close();
  }

  async #call(
    { topicArn: arn, accountId }: TopicReference,
    parameters: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<void> {
    this.#authorize(arn, accountId);
    const url = this.#endpoint;
    const form = { Version: API_VERSION, TopicArn: arn, ...parameters };
    const body = new URLSearchParams(form).toString();
    const headers = await this.#sign(arn, body);
    const { deliveryTimeoutMs, deliveryAnswerBytes } = limits.queue;
    const { clock } = this.#options;
    const what = `publishing to ${arn}`;
    const call = async (within: AbortSignal) => {
      const dispatcher = this.#guard.agentFor(url);
      const options = { method: 'POST', headers, body, dispatcher, signal: within } as const;
      const answer = await undici()
        .request(url, options)
        .catch((error: unknown) => {
          within.throwIfAborted();
          throw guardRefusal(error) ?? failure(arn, 'passing', error);
        });
      if (answer.statusCode >= 200 && answer.statusCode < 300) {
        return answer.body.dump({ limit: deliveryAnswerBytes });
      }
      const text = await readSome(answer.body, deliveryAnswerBytes);
      throw answeredWith(arn, answer.statusCode, text);
    };
    await withDeadline(clock, deliveryTimeoutMs, what, call, signal);
  }

  #authorize(arn: string, accountId: string): void {
    const [, region, ownerId = ''] = topicArn.exec(arn) ?? [];
    if (region !== this.#region) {
      throw new SluiceError('QUEUE_NOT_FOUND', `${arn}: topics of ${this.#region} are known here`);
    }
    const granted = this.#options.settings.accounts[accountId] ?? [];
    if (ownerId === accountId || granted.includes(ownerId)) return;
    throw new SluiceError('ACCESS_DENIED', `${arn}: a topic of another account than ${accountId}`);
  }

  async #sign(arn: string, body: string): Promise<Record<string, string>> {
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } =
      this.#options.environment;
    if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) throw failure(arn, 'denied', 'no keys');
    const { protocol, hostname, port, pathname, host } = this.#endpoint;
    const signer = new SignatureV4({
      service: 'sns',
      region: this.#region,
      credentials: {
        accessKeyId: AWS_ACCESS_KEY_ID,
        secretAccessKey: AWS_SECRET_ACCESS_KEY,
        ...(AWS_SESSION_TOKEN && { sessionToken: AWS_SESSION_TOKEN }),
      },
      sha256: Sha256,
    });
    const signed = await signer.sign(
      {
        ...{ method: 'POST', protocol, hostname, path: pathname, query: {}, body },
        ...(port && { port: Number(port) }),
        headers: { host, 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
      },
      { signingDate: new Date(this.#options.clock.nowMs()) },
    );
    return signed.headers;
  }
}

async function readSome(body: AsyncIterable<Buffer>, limitBytes: number): Promise<string> {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const part of body) {
    parts.push(part);
    sizeBytes += part.length;
    if (sizeBytes >= limitBytes) break;
  }
  return Buffer.concat(parts).toString('utf8');
}

const meaning = {
  absent: ['QUEUE_NOT_FOUND', 'there is no such topic'],
  denied: ['QUEUE_DENIED', 'the service refuses the region’s credentials; see AWS_ACCESS_KEY_ID'],
  passing: ['QUEUE_SERVICE_UNAVAILABLE', 'the service did not answer; see the setting sns'],
} as const;

function failure(arn: string, kind: keyof typeof meaning, cause: unknown): SluiceError {
  const [code, text] = meaning[kind];
  return new SluiceError(code, `${arn}: ${text} (${cause})`, { data: { topicArn: arn }, cause });
}

/** An error of the query protocol: its code is in the XML, whatever the status. */
function answeredWith(arn: string, status: number, text: string): SluiceError {
  const code = /<Code>([^<]*)<\/Code>/.exec(text)?.[1] ?? `status ${status}`;
  if (absent.test(code)) return failure(arn, 'absent', code);
  return failure(arn, denied.test(code) || status === 403 ? 'denied' : 'passing', code);
}
