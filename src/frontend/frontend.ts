import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CredentialStore } from '../accounts/mod.ts';
import {
  type Clock,
  type Logger,
  limits,
  type Meter,
  noLogger,
  noMeter,
  type Random,
} from '../base/mod.ts';
import { FunctionCache, type Provisioner, provisionAll } from '../catalogue/mod.ts';
import { reportDamaged } from '../database/mod.ts';
import {
  type ConfigurerRights,
  type EventQueue,
  type EventSourceSupport,
  QueuedInvokes,
  type TopicDirectory,
} from '../delivery/mod.ts';
import type { Invoker } from '../dispatch/mod.ts';
import type { CodeInstaller, ZipSupport } from '../install/mod.ts';
import type { FunctionStore } from '../records/mod.ts';
import { ArchiveUpkeep } from './archive-upkeep.ts';
import type { MayMount } from './configuration.ts';
import { configurerRights } from './configurer-rights.ts';
import { DownloadHandler } from './download-handler.ts';
import { DownloadLinks } from './download-links.ts';
import { FunctionUrlHandler } from './function-url/handler.ts';
import { readUrlRequest } from './function-url/url-request.ts';
import { ApiHandler } from './http/api-handler.ts';
import { ByteBudget } from './http/body.ts';
import { HttpServer, type TlsIdentity } from './http/http-server.ts';
import { Router } from './http/router.ts';
import { Installs } from './installs.ts';
import { mayReadMetrics } from './metrics-access.ts';
import { answerMetrics, type MetricsText } from './metrics-listener.ts';
import { allOperations } from './operations/all.ts';
import type { Services } from './services.ts';
import { Authenticator } from './sigv4/authenticator.ts';

export interface FrontendOptions {
  readonly region: string;
  readonly store: FunctionStore;
  readonly credentials: CredentialStore;
  readonly installer: CodeInstaller;
  readonly invoker: Invoker;
  /** Without one, `Event` invokes are refused. */
  readonly events?: EventQueue;
  readonly eventSources: EventSourceSupport;
  /** Without it, no destination is a topic. */
  readonly topics?: TopicDirectory | undefined;
  /** Without it, zip functions and layers are refused. */
  readonly zip?: ZipSupport;
  /** Then no code is taken in. */
  readonly isDiskLow?: () => boolean;
  /** Without one, provisioned concurrency is refused. */
  readonly provisioner?: Provisioner;
  /** What function URLs end with, `HOST[:PORT]`; the port listened on at `localhost` if absent. */
  readonly functionUrlDomain?: string | undefined;
  /** `path` for clients that cannot resolve a name for each URL. */
  readonly functionUrlForm?: 'host' | 'path';
  /** What becomes of members that nothing here acts on; `refuse` if absent. */
  readonly unsupported?: 'refuse' | 'warn';
  /** No function mounts anything if absent. */
  readonly mayMount?: MayMount;
  /** Serves HTTPS, and nothing else, when given. */
  readonly tls?: TlsIdentity;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger?: Logger;
  readonly meter?: Meter;
  /** Connections at once; `limits.http` says unless given. */
  readonly connections?: number;
  /** With it metrics may be read from beyond this host. */
  readonly metricsToken?: string | undefined;
  /** What `GET /metrics` answers, unauthenticated like `/healthz`; 404 without one. */
  readonly metrics?: MetricsText;
}

/** The Lambda API over HTTP. Owns its listening socket, its cache and the installs under way. */
export class Frontend {
  readonly #cache: FunctionCache;
  readonly #installs: Installs;
  readonly #archives: ArchiveUpkeep;
  readonly #server: HttpServer;
  readonly #services: Services;
  /** What runs the events of the queue. */
  readonly queued: QueuedInvokes;
  /** What the queue asks before it delivers. */
  readonly rights: ConfigurerRights;
  readonly #functionUrlDomain: string | undefined;
  readonly #functionUrlForm: 'host' | 'path';
  readonly #secure: boolean;
  #port = 0;

  constructor(options: FrontendOptions) {
    const { region, store, credentials, installer, invoker, events, clock, random } = options;
    const logger = options.logger ?? noLogger;
    const onDamaged = reportDamaged(logger, options.meter ?? noMeter);
    this.#functionUrlDomain = options.functionUrlDomain;
    this.#functionUrlForm = options.functionUrlForm ?? 'host';
    this.#secure = options.tls !== undefined;
    this.#cache = new FunctionCache(store, limits.functions.cached);
    this.#archives = new ArchiveUpkeep(options.zip, store, logger);
    this.#installs = new Installs({
      ...{ store, installer, invoker, region, clock, random, logger, onDamaged },
      zip: options.zip,
      onSettled: (accountId) => this.#archives.freed(accountId),
    });
    this.#services = {
      ...{ region, store, invoker, events, clock, random, logger, onDamaged },
      eventSources: options.eventSources,
      topics: options.topics,
      provisioner: options.provisioner,
      zip: options.zip,
      isDiskLow: options.isDiskLow ?? (() => false),
      archives: this.#archives,
      downloads: new DownloadLinks(random.bytes(32)),
      functionUrl: (urlId) => this.#functionUrl(urlId),
      unsupported: options.unsupported ?? 'refuse',
      mayMount: options.mayMount ?? (() => false),
      cache: this.#cache,
      installs: this.#installs,
    };
    this.queued = new QueuedInvokes(this.#services);
    this.rights = configurerRights({ credentials, cache: this.#cache, region });
    const operations = allOperations(this.#services);
    const authenticator = new Authenticator(credentials, region, clock);
    const budget = new ByteBudget(limits.http.bodyBytesInFlight);
    const urls = new FunctionUrlHandler(this.#services, authenticator, budget);
    const api = new ApiHandler({
      router: new Router(operations),
      authenticator,
      budget,
      ...{ clock, random, logger },
      meter: options.meter ?? noMeter,
      prove: (request, response, accountId) => this.#server.prove(request, response, accountId),
    });
    const { metrics } = options;
    const downloads = new DownloadHandler(this.#services);
    const handle = (request: IncomingMessage, response: ServerResponse, signal: AbortSignal) => {
      const url = readUrlRequest(request);
      if (url) return urls.handle(request, response, url, signal);
      if (isGet(request, '/healthz')) return answer(response, 'application/json', healthy);
      if (metrics && isGet(request, '/metrics') && mayReadMetrics(request, options.metricsToken)) {
        return answerMetrics(response, metrics);
      }
      if (request.url?.startsWith('/archives/')) return downloads.handle(request, response);
      return api.handle(request, response, signal);
    };
    this.#server = new HttpServer(handle, clock, random, options);
  }

  /**
   * Takes up unfinished installs, then listens; port 0 takes a free one. Answers where it listens.
   * Rejects with `PORT_IN_USE`.
   */
  async start(host: string, port: number): Promise<{ host: string; port: number }> {
    const address = await this.#server.listen(host, port);
    this.#port = address.port;
    await this.#archives.start();
    await this.#installs.resume();
    await provisionAll(this.#services, this.#services.store, this.#services.onDamaged);
    return { host: address.address, port: address.port };
  }

  /**
   * Refuses new requests and lets running ones end within `graceMs`; unfinished installs stay
   * recorded.
   */
  async close(graceMs: number): Promise<void> {
    this.queued.close();
    await this.#server.close(graceMs);
    await this.#installs.close();
    await this.#archives.close();
    this.#cache.close();
  }

  #functionUrl(urlId: string): string {
    const domain = this.#functionUrlDomain ?? `localhost:${this.#port}`;
    const scheme = this.#secure ? 'https' : 'http';
    if (this.#functionUrlForm === 'path') return `${scheme}://${domain}/lambda-url/${urlId}/`;
    return `${scheme}://${urlId}.lambda-url.${this.#services.region}.${domain}/`;
  }
}

const healthy = '{"status":"ok"}';

function isGet({ method, url }: IncomingMessage, path: string): boolean {
  return method === 'GET' && url === path;
}

async function answer(response: ServerResponse, contentType: string, body: string): Promise<void> {
  const headers = { 'Content-Type': contentType, 'Content-Length': Buffer.byteLength(body) };
  response.writeHead(200, headers).end(body);
}
