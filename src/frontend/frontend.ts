import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type Clock,
  type Logger,
  limits,
  type Meter,
  noLogger,
  noMeter,
  type Random,
} from '../base/mod.ts';
import type { FunctionStore } from '../functions/mod.ts';
import { FunctionCache } from './function-cache.ts';
import { ApiHandler } from './http/api-handler.ts';
import { HttpServer } from './http/http-server.ts';
import { Router } from './http/router.ts';
import { Installs } from './installs.ts';
import { allOperations } from './operations/all.ts';
import type { CodeInstaller, CredentialStore, EventQueue, Invoker } from './seams.ts';
import { Authenticator } from './sigv4/authenticator.ts';

export interface FrontendOptions {
  readonly region: string;
  readonly store: FunctionStore;
  readonly credentials: CredentialStore;
  readonly installer: CodeInstaller;
  readonly invoker: Invoker;
  /** Without one, `Event` invokes are refused. */
  readonly events?: EventQueue;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger?: Logger;
  readonly meter?: Meter;
}

/** The Lambda API over HTTP. Owns its listening socket, its cache and the installs under way. */
export class Frontend {
  readonly #cache: FunctionCache;
  readonly #installs: Installs;
  readonly #server: HttpServer;

  constructor(options: FrontendOptions) {
    const { region, store, credentials, installer, invoker, events, clock, random } = options;
    const logger = options.logger ?? noLogger;
    this.#cache = new FunctionCache(store, limits.functions.cached);
    this.#installs = new Installs({ store, installer, invoker, region, clock, random, logger });
    const operations = allOperations({
      ...{ region, store, invoker, events, clock, random, logger },
      cache: this.#cache,
      installs: this.#installs,
    });
    const api = new ApiHandler({
      router: new Router(operations),
      authenticator: new Authenticator(credentials, region, clock),
      ...{ clock, random, logger },
      meter: options.meter ?? noMeter,
    });
    const handle = (request: IncomingMessage, response: ServerResponse, signal: AbortSignal) =>
      isHealthCheck(request) ? healthy(response) : api.handle(request, response, signal);
    this.#server = new HttpServer(handle, clock, random);
  }

  /**
   * Takes up unfinished installs, then listens; port 0 takes a free one. Answers where it listens.
   * Rejects with `PORT_IN_USE`.
   */
  async start(host: string, port: number): Promise<{ host: string; port: number }> {
    const address = await this.#server.listen(host, port);
    await this.#installs.resume();
    return { host: address.address, port: address.port };
  }

  /** Refuses new requests, lets running ones end within `graceMs`; unfinished installs stay recorded. */
  async close(graceMs: number): Promise<void> {
    await this.#server.close(graceMs);
    await this.#installs.close();
    this.#cache.close();
  }
}

const isHealthCheck = ({ method, url }: IncomingMessage) => method === 'GET' && url === '/healthz';

async function healthy(response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"status":"ok"}');
}
