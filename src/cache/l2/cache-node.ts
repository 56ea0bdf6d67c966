import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Counter, type Histogram, limits, SluiceError } from '../../base/mod.ts';
import type { CacheNodeOptions } from './cache-node-options.ts';
import { bearsMetricsToken, verifyRequest } from './request-signature.ts';
import { Slab } from './slab.ts';
import { receiveStripe } from './stripe-body.ts';
import { parseStripeId, STRIPES_PATH } from './stripe-key.ts';
import { StripeStore } from './stripe-store.ts';

const RETRY_AFTER_SECONDS = '1';

/** Seconds; the paper's figure 10 lies between 20 and 400 µs. */
const SECONDS_BUCKETS = [
  2e-5, 5e-5, 1e-4, 1.5e-4, 2e-4, 3e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.02, 0.1, 1,
];

/**
 * A node of the zone's shared cache: stripes over HTTP/1.1, every request signed.
 *
 * - `GET /v1/stripes/<name>/<k>+<m>/<index>`: 200 with the stripe, 404
 * - `PUT …`: 201 stored, 200 was there; the body's SHA-256 is in `x-sluice-body` and is signed
 * - `DELETE …`: 204, 404; for a stripe that a worker found to lie
 * - `GET /healthz`: 200, or 503 while draining; unsigned, for load balancers
 * - `GET /metrics`: signed, or with the metrics token
 *
 * Past its limits it answers 503 with Retry-After at once and queues nothing.
 */
export class CacheNode {
  readonly #options: CacheNodeOptions;
  readonly #store: StripeStore;
  readonly #server: Server;
  readonly #answers: Counter;
  readonly #seconds: Histogram;
  readonly #bodyBytesMax: number;
  #bodyBytes = 0;
  #draining = false;

  private constructor(options: CacheNodeOptions, store: StripeStore) {
    const { meter } = options;
    this.#options = options;
    this.#store = store;
    this.#bodyBytesMax = options.bodyBytes ?? limits.l2.nodeBodyBytes;
    this.#answers = meter.counter('sluice_l2_node_requests_total', 'Requests by what they got', [
      'method',
      'answer',
    ]);
    this.#seconds = meter.histogram(
      'sluice_l2_node_seconds',
      'From the head of a request (of a put: from its whole body) to the end of the answer',
      SECONDS_BUCKETS,
      ['method'],
    );
    this.#server = createServer(
      {
        maxHeaderSize: limits.http.headerBytes,
        headersTimeout: limits.l2.nodeHeadersMs,
        requestTimeout: limits.l2.nodeRequestMs,
        // Workers keep their connections; how many there may be is bounded instead.
        keepAliveTimeout: 0,
        noDelay: true,
      },
      (request, response) => void this.#serve(request, response),
    );
    this.#server.maxConnections = options.connections ?? limits.l2.nodeConnections;
  }

  /** Opens the slab and listens; rejects with `PORT_IN_USE` or `CONFIG_INVALID`. */
  static async start(options: CacheNodeOptions): Promise<CacheNode> {
    const { directory, stripeBytes, flashBytes, memoryBytes } = options;
    const slotCount = Math.floor(flashBytes / stripeBytes);
    if (slotCount < 1 || memoryBytes < stripeBytes) {
      throw new SluiceError(
        'CONFIG_INVALID',
        `${directory}: memory and flash each have to hold at least one stripe of ${stripeBytes} bytes`,
      );
    }
    const { slab, entries } = await Slab.open({ directory, slotBytes: stripeBytes, slotCount });
    const node = new CacheNode(options, new StripeStore({ ...options, slab, entries }));
    await node.#listen();
    return node;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Stripes that flash holds, for the log line of a start. */
  get flashStripes(): number {
    return this.#store.flashStripes;
  }

  /** Takes no new connection, answers what has begun, writes out what is to go to flash. */
  async drain(): Promise<void> {
    this.#draining = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const timer = this.#options.clock.setTimer(limits.l2.drainMs, () =>
      this.#server.closeAllConnections(),
    );
    await closed;
    timer.cancel();
    await this.#store.close();
  }

  #listen(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', (cause: NodeJS.ErrnoException) => {
        const code = cause.code === 'EADDRINUSE' ? 'PORT_IN_USE' : 'CONFIG_INVALID';
        reject(new SluiceError(code, `${host}:${port}: cannot listen`, { cause }));
      });
      this.#server.listen(port, host, resolve);
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startMs = this.#options.clock.monotonicMs();
    try {
      const path = request.url ?? '';
      if (path === '/healthz') return this.#health(response);
      if (path === '/metrics') return await this.#metrics(request, response);
      if (!this.#verified(request, path)) return this.#refuse(request, response, 401);
      if (!path.startsWith(STRIPES_PATH)) return this.#refuse(request, response, 404);
      const id = path.slice(STRIPES_PATH.length);
      if (request.method === 'GET') await this.#get(id, request, response, startMs);
      else if (request.method === 'PUT') await this.#put(id, request, response);
      else if (request.method === 'DELETE') this.#delete(id, request, response);
      else this.#refuse(request, response, 405);
    } catch (error) {
      this.#fail(request, response, error);
    }
  }

  #verified(request: IncomingMessage, path: string): boolean {
    const { secrets, clock } = this.#options;
    const bodySha256 = request.headers['x-sluice-body'] ?? '';
    if (typeof bodySha256 !== 'string') return false;
    const signed = { method: request.method ?? '', path, bodySha256 };
    return verifyRequest(secrets, clock, request.headers.authorization, signed);
  }

  async #get(
    id: string,
    request: IncomingMessage,
    response: ServerResponse,
    startMs: number,
  ): Promise<void> {
    const stripe = this.#store.getFromMemory(id) ?? (await this.#store.getFromFlash(id));
    if (!stripe) return this.#answer(request, response, 404);
    if (this.#bodyBytes + stripe.length > this.#bodyBytesMax) {
      return this.#refuse(request, response, 503);
    }
    this.#bodyBytes += stripe.length;
    response.once('close', () => {
      this.#bodyBytes -= stripe.length;
      this.#observe(request, startMs);
    });
    this.#answer(request, response, 200, stripe);
  }

  async #put(id: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const key = parseStripeId(id);
    const sizeBytes = Number(request.headers['content-length']);
    const most = Math.min(limits.l2.stripeBytes, this.#options.stripeBytes);
    if (!(sizeBytes > 0 && sizeBytes <= most)) return this.#refuse(request, response, 413);
    if (this.#draining || this.#bodyBytes + sizeBytes > this.#bodyBytesMax) {
      return this.#refuse(request, response, 503);
    }
    this.#bodyBytes += sizeBytes;
    try {
      const stripe = await receiveStripe(request, key, sizeBytes);
      const startMs = this.#options.clock.monotonicMs();
      const stored = this.#store.put(key, stripe);
      response.once('close', () => this.#observe(request, startMs));
      this.#answer(request, response, stored ? 201 : 200);
    } finally {
      this.#bodyBytes -= sizeBytes;
    }
  }

  #delete(id: string, request: IncomingMessage, response: ServerResponse): void {
    this.#answer(request, response, this.#store.delete(id) ? 204 : 404);
  }

  #health(response: ServerResponse): void {
    const state = this.#draining ? 'draining' : this.#store.degraded ? 'degraded' : 'ok';
    response.writeHead(this.#draining ? 503 : 200, { 'content-type': 'text/plain' });
    response.end(`${state}\n`);
  }

  async #metrics(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { secrets, metricsText } = this.#options;
    const allowed =
      bearsMetricsToken(secrets, request.headers.authorization) ||
      this.#verified(request, '/metrics');
    if (!allowed) return this.#refuse(request, response, 401);
    const text = await metricsText();
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' });
    response.end(text);
  }

  #answer(request: IncomingMessage, response: ServerResponse, status: number, body?: Buffer): void {
    this.#answers.add(1, { method: request.method ?? '', answer: String(status) });
    const head: Record<string, string | number> = { 'content-length': body?.length ?? 0 };
    if (this.#draining) head['connection'] = 'close';
    if (status === 503) head['retry-after'] = RETRY_AFTER_SECONDS;
    response.writeHead(status, head);
    response.end(body);
  }

  /** Answers without reading the body, so the connection cannot be used again. */
  #refuse(request: IncomingMessage, response: ServerResponse, status: number): void {
    if (request.method !== 'GET') response.shouldKeepAlive = false;
    this.#answer(request, response, status);
  }

  #fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    const status = error instanceof SluiceError ? error.traits.httpStatus : 500;
    if (status === 500) this.#options.logger.error({ error, path: request.url }, 'request failed');
    if (response.headersSent) response.destroy();
    else this.#refuse(request, response, status);
  }

  #observe(request: IncomingMessage, startMs: number): void {
    const seconds = (this.#options.clock.monotonicMs() - startMs) / 1000;
    this.#seconds.observe(seconds, { method: request.method ?? '' });
  }
}
