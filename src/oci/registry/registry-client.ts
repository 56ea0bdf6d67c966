import type { Readable } from 'node:stream';
import { type Clock, limits, SluiceError, undici, withDeadline } from '../../base/mod.ts';
import { isLoopbackHost, type RegistryReference } from '../reference.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import { type ConnectionSettings, RegistryConnections } from './connections.ts';
import { basicAuthorization, type Credentials } from './credentials.ts';
import { statusError, unreachable } from './registry-errors.ts';
import { discard, readLimited, readToken } from './response-body.ts';
import { pauseMs, tokenRequest } from './token.ts';

export interface RegistryResponse {
  readonly status: number;
  /** Of the server that answered: another than the registry's where it redirected. */
  readonly origin: string;
  header(name: string): string | undefined;
  readonly body: Readable;
}

export interface RegistryClientOptions extends ConnectionSettings {
  readonly credentials?: Credentials;
  readonly clock: Clock;
}

type Headers = Readonly<Record<string, string>>;

const REDIRECTS_MAX = 5;
const formHeaders = { 'content-type': 'application/x-www-form-urlencoded' };

/**
 * HTTP to one registry (distribution-spec, pull): authorization, redirects, retries. Credentials go
 * to the registry and to the token server that it names, and to no other host.
 */
export class RegistryClient {
  readonly #reference: RegistryReference;
  readonly #credentials: Credentials | undefined;
  readonly #clock: Clock;
  readonly #connections: RegistryConnections;
  #authorization: string | undefined;

  constructor(reference: RegistryReference, options: RegistryClientOptions) {
    this.#reference = reference;
    this.#credentials = options.credentials;
    this.#clock = options.clock;
    this.#connections = new RegistryConnections(options);
  }

  get name(): string {
    return `${this.#reference.registry}/${this.#reference.repository}`;
  }

  /**
   * GETs `path` under the repository. Answers 200, 206 or 416; other statuses and a registry that
   * does not answer, after retries, are errors: `IMAGE_NOT_FOUND`, `REGISTRY_DENIED`,
   * `REGISTRY_UNAVAILABLE`.
   */
  get(path: string, headers: Headers, signal?: AbortSignal): Promise<RegistryResponse> {
    return this.#retrying(() => this.#get(path, headers, signal), signal);
  }

  /** A whole document, tried again when it breaks off. `IMAGE_MALFORMED` beyond `limitBytes`. */
  document(
    path: string,
    headers: Headers,
    limitBytes: number,
    signal?: AbortSignal,
  ): Promise<{ response: RegistryResponse; bytes: Buffer }> {
    const where = `${this.name}: ${path}`;
    const read = async (inTime: AbortSignal) => {
      const response = await this.#get(path, headers, inTime);
      return { response, bytes: await readLimited(response.body, limitBytes, where) };
    };
    const timeoutMs = limits.registry.documentMs;
    return this.#retrying(() => withDeadline(this.#clock, timeoutMs, where, read, signal), signal);
  }

  async #retrying<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        signal?.throwIfAborted();
        const failure = unreachable(this.#reference.endpoint, error);
        if (!failure.traits.retryable || attempt >= limits.registry.attempts) throw failure;
        const waitMs = pauseMs(attempt, failure.data['retryAfterMs'] as number | undefined);
        if (waitMs === undefined) throw failure;
        await this.#clock.sleep(waitMs, signal);
      }
    }
  }

  async #get(path: string, headers: Headers, signal?: AbortSignal): Promise<RegistryResponse> {
    const url = new URL(`/v2/${this.#reference.repository}/${path}`, this.#reference.endpoint);
    const response = await this.#authorized(url, headers, signal);
    if ([200, 206, 416].includes(response.status)) return response;
    throw statusError(response, this.name, path, this.#clock.nowMs());
  }

  async close(): Promise<void> {
    await this.#connections.close();
  }

  async #authorized(url: URL, headers: Headers, signal?: AbortSignal): Promise<RegistryResponse> {
    const response = await this.#follow(url, headers, this.#authorization, signal);
    // Only the registry itself may ask for its credentials, and not whom it redirects to.
    if (response.status !== 401 || response.origin !== url.origin) return response;
    const challenges = parseChallenges(response.header('www-authenticate') ?? '');
    const authorization = await this.#answer(challenges, signal);
    if (authorization === undefined) return response;
    discard(response.body);
    this.#authorization = authorization;
    return this.#follow(url, headers, authorization, signal);
  }

  /** `authorization` goes to the origin of `url` alone. */
  async #follow(
    url: URL,
    headers: Headers,
    authorization: string | undefined,
    signal?: AbortSignal,
  ): Promise<RegistryResponse> {
    let target = url;
    for (let hop = 0; hop <= REDIRECTS_MAX; hop++) {
      const sent: Record<string, string> = { ...headers };
      if (authorization !== undefined && target.origin === url.origin) {
        sent['authorization'] = authorization;
      }
      const response = await this.#request(target, sent, signal);
      const location = response.header('location');
      if (response.status < 300 || response.status >= 400 || location === undefined) {
        return response;
      }
      discard(response.body);
      target = this.#redirected(location, target);
    }
    throw new SluiceError('REGISTRY_UNAVAILABLE', `${this.name}: it redirects without end`);
  }

  #redirected(location: string, from: URL): URL {
    const target = URL.parse(location, from.href);
    const secure = target?.protocol === 'https:' || (target?.protocol === 'http:' && this.#isLocal);
    if (target && secure) return target;
    throw new SluiceError(
      'REGISTRY_DENIED',
      `${this.name}: it redirects to ${location.slice(0, 200)}, which is not HTTPS`,
    );
  }

  get #isLocal(): boolean {
    return isLoopbackHost(this.#reference.registry);
  }

  async #answer(
    challenges: readonly Challenge[],
    signal?: AbortSignal,
  ): Promise<string | undefined> {
    const bearer = challenges.find((each) => each.scheme === 'bearer');
    if (bearer) return this.#token(bearer, signal);
    const basic = challenges.find((each) => each.scheme === 'basic');
    if (basic && this.#credentials && 'password' in this.#credentials) {
      return basicAuthorization(this.#credentials);
    }
    return undefined;
  }

  /** The realm may be on another host, which the registry names for its credentials. */
  async #token(challenge: Challenge, signal?: AbortSignal): Promise<string | undefined> {
    const endpoint = new URL(this.#reference.endpoint);
    const realm = this.#redirected(challenge.parameters.get('realm') ?? '', endpoint);
    const asked = tokenRequest(realm, challenge, this.#reference, this.#credentials);
    const response =
      asked.form === undefined
        ? await this.#follow(asked.realm, {}, asked.authorization, signal)
        : await this.#request(asked.realm, formHeaders, signal, asked.form);
    if (response.status !== 200) {
      const failure = statusError(response, this.name, 'its token server', this.#clock.nowMs());
      if (failure.code === 'IMAGE_NOT_FOUND') return undefined;
      throw failure;
    }
    const bytes = await readLimited(response.body, limits.registry.tokenBytes, realm.href);
    const token = readToken(bytes);
    return token === undefined ? undefined : `Bearer ${token}`;
  }

  async #request(
    url: URL,
    headers: Headers,
    signal: AbortSignal | undefined,
    form?: string,
  ): Promise<RegistryResponse> {
    const response = await undici().request(url, {
      dispatcher: this.#connections.of(url),
      method: form === undefined ? 'GET' : 'POST',
      headers: { 'user-agent': 'sluice', ...headers },
      ...(form !== undefined && { body: form }),
      ...(signal && { signal }),
    });
    return {
      status: response.statusCode,
      origin: url.origin,
      body: response.body,
      header: (name) => {
        const value = response.headers[name];
        return Array.isArray(value) ? value.join(', ') : value;
      },
    };
  }
}
