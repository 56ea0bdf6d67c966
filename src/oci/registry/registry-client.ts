import type { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import { type Clock, limits, SluiceError } from '../../base/mod.ts';
import { isLoopbackHost, type RegistryReference } from '../reference.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import { type DispatcherFor, registryAgent, unreachable } from './connections.ts';
import { basicAuthorization, type Credentials } from './credentials.ts';
import { discard, readLimited, readToken } from './response-body.ts';

export interface RegistryResponse {
  readonly status: number;
  header(name: string): string | undefined;
  readonly body: Readable;
}

export interface RegistryClientOptions {
  readonly credentials?: Credentials;
  readonly clock: Clock;
  readonly dispatcherFor?: DispatcherFor;
}

type Headers = Readonly<Record<string, string>>;

const REDIRECTS_MAX = 5;

/**
 * HTTP to one registry (distribution-spec, pull): authorization, redirects, retries. Credentials go
 * to the registry and to the token server that it names, and to no other host.
 */
export class RegistryClient {
  readonly #reference: RegistryReference;
  readonly #credentials: Credentials | undefined;
  readonly #clock: Clock;
  readonly #dispatcherFor: DispatcherFor;
  readonly #agent = new Agent(registryAgent);
  #authorization: string | undefined;

  constructor(reference: RegistryReference, options: RegistryClientOptions) {
    this.#reference = reference;
    this.#credentials = options.credentials;
    this.#clock = options.clock;
    this.#dispatcherFor = options.dispatcherFor ?? (() => this.#agent);
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
    return this.#retrying(async () => {
      const response = await this.#get(path, headers, signal);
      const where = `${this.name}: ${path}`;
      return { response, bytes: await readLimited(response.body, limitBytes, where) };
    }, signal);
  }

  async #retrying<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        signal?.throwIfAborted();
        const failure = unreachable(this.#endpoint, error);
        if (!failure.traits.retryable || attempt >= limits.registry.attempts) throw failure;
      }
      await this.pause(attempt, signal);
    }
  }

  async #get(path: string, headers: Headers, signal?: AbortSignal): Promise<RegistryResponse> {
    const url = new URL(`/v2/${this.#reference.repository}/${path}`, this.#reference.endpoint);
    const response = await this.#authorized(url, headers, signal);
    if ([200, 206, 416].includes(response.status)) return response;
    throw this.#statusError(response, path);
  }

  /** Waits before the next attempt: longer each time. */
  pause(attempt: number, signal?: AbortSignal): Promise<void> {
    return this.#clock.sleep(limits.registry.retryDelayMs * 2 ** (attempt - 1), signal);
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #authorized(url: URL, headers: Headers, signal?: AbortSignal): Promise<RegistryResponse> {
    const response = await this.#follow(url, headers, signal);
    if (response.status !== 401) return response;
    const challenges = parseChallenges(response.header('www-authenticate') ?? '');
    const authorization = await this.#answer(challenges, signal);
    if (authorization === undefined) return response;
    discard(response.body);
    this.#authorization = authorization;
    return this.#follow(url, headers, signal);
  }

  async #follow(url: URL, headers: Headers, signal?: AbortSignal): Promise<RegistryResponse> {
    let target = url;
    for (let hop = 0; hop <= REDIRECTS_MAX; hop++) {
      const sent: Record<string, string> = { ...headers };
      if (this.#authorization !== undefined && target.origin === url.origin) {
        sent['authorization'] = this.#authorization;
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
    if (bearer) return this.#token(bearer.parameters, signal);
    const basic = challenges.find((each) => each.scheme === 'basic');
    if (basic && this.#credentials && 'password' in this.#credentials) {
      return basicAuthorization(this.#credentials);
    }
    return undefined;
  }

  /** The token flow of distribution's "Token Authentication Specification". */
  async #token(
    parameters: ReadonlyMap<string, string>,
    signal?: AbortSignal,
  ): Promise<string | undefined> {
    const realm = this.#redirected(parameters.get('realm') ?? '', new URL(this.#endpoint));
    const scope = parameters.get('scope') ?? `repository:${this.#reference.repository}:pull`;
    const service = parameters.get('service');
    const credentials = this.#credentials;
    const fields = new URLSearchParams({ scope, ...(service !== undefined && { service }) });
    const refresh = credentials !== undefined && 'identityToken' in credentials;
    if (refresh) {
      fields.set('grant_type', 'refresh_token');
      fields.set('refresh_token', credentials.identityToken);
      fields.set('client_id', 'sluice');
    } else {
      for (const [name, value] of fields) realm.searchParams.append(name, value);
    }
    const headers: Record<string, string> = refresh
      ? { 'content-type': 'application/x-www-form-urlencoded' }
      : credentials
        ? { authorization: basicAuthorization(credentials) }
        : {};
    const response = await this.#request(realm, headers, signal, refresh ? `${fields}` : undefined);
    if (response.status !== 200) {
      const failure = this.#statusError(response, 'its token server');
      if (failure.code === 'IMAGE_NOT_FOUND') return undefined;
      throw failure;
    }
    const token = readToken(
      await readLimited(response.body, limits.registry.tokenBytes, realm.href),
    );
    return token === undefined ? undefined : `Bearer ${token}`;
  }

  get #endpoint(): string {
    return this.#reference.endpoint;
  }

  async #request(
    url: URL,
    headers: Headers,
    signal: AbortSignal | undefined,
    form?: string,
  ): Promise<RegistryResponse> {
    const response = await request(url, {
      dispatcher: this.#dispatcherFor(url),
      method: form === undefined ? 'GET' : 'POST',
      headers: { 'user-agent': 'sluice', ...headers },
      ...(form !== undefined && { body: form }),
      ...(signal && { signal }),
    });
    return {
      status: response.statusCode,
      body: response.body,
      header: (name) => {
        const value = response.headers[name];
        return Array.isArray(value) ? value.join(', ') : value;
      },
    };
  }

  #statusError(response: RegistryResponse, path: string): SluiceError {
    discard(response.body);
    const { status } = response;
    const what = `${this.name}: ${path}: HTTP ${status}`;
    const data = { status, repository: this.name };
    if (status === 401 || status === 403) {
      return new SluiceError('REGISTRY_DENIED', `${what}; check the credentials`, { data });
    }
    if (status === 404) {
      return new SluiceError('IMAGE_NOT_FOUND', `${what}; check the name and the tag`, { data });
    }
    if (isTransient(status)) return new SluiceError('REGISTRY_UNAVAILABLE', what, { data });
    return new SluiceError('IMAGE_NOT_FOUND', `${what}; it does not serve images`, { data });
  }
}

function isTransient(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}
