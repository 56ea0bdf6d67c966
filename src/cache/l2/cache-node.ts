import { type Counter, type Histogram, limits, SluiceError } from '../../base/mod.ts';
import type { CacheNodeOptions } from './cache-node-options.ts';
import type { HttpRequest } from './http-connection.ts';
import { HttpListener } from './http-listener.ts';
import { bearsMetricsToken, verifyRequest } from './request-signature.ts';
import { Slab } from './slab.ts';
import { checkStripe } from './stripe-body.ts';
import { parseStripeId, STRIPES_PATH } from './stripe-key.ts';
import { StripeStore } from './stripe-store.ts';

const RETRY_AFTER = { 'retry-after': '1' };

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
  readonly #listener: HttpListener;
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
    this.#listener = new HttpListener({
      clock: options.clock,
      connections: options.connections ?? limits.l2.nodeConnections,
      onRequest: (request) => void this.#serve(request),
    });
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
    await node.#listener.listen(options.host, options.port);
    return node;
  }

  get port(): number {
    return this.#listener.port;
  }

  /** Stripes that flash holds, for the log line of a start. */
  get flashStripes(): number {
    return this.#store.flashStripes;
  }

  /** Takes no new connection, answers what has begun, writes out what is to go to flash. */
  async drain(): Promise<void> {
    this.#draining = true;
    await this.#listener.close(limits.l2.drainMs);
    await this.#store.close();
  }

  async #serve(request: HttpRequest): Promise<void> {
    const startMs = this.#options.clock.monotonicMs();
    const { method, path } = request;
    try {
      if (path === '/healthz') return this.#health(request);
      if (path === '/metrics') return await this.#metrics(request);
      if (!this.#verified(request)) return this.#answer(request, 401);
      if (!path.startsWith(STRIPES_PATH)) return this.#answer(request, 404);
      const id = path.slice(STRIPES_PATH.length);
      if (method === 'GET') await this.#get(id, request, startMs);
      else if (method === 'PUT') await this.#put(id, request);
      else if (method === 'DELETE') this.#answer(request, this.#store.delete(id) ? 204 : 404);
      else this.#answer(request, 405);
    } catch (error) {
      this.#fail(request, error);
    }
  }

  #verified({ method, path, headers }: HttpRequest): boolean {
    const { secrets, clock } = this.#options;
    const signed = { method, path, bodySha256: headers.get('x-sluice-body') ?? '' };
    return verifyRequest(secrets, clock, headers.get('authorization'), signed);
  }

  async #get(id: string, request: HttpRequest, startMs: number): Promise<void> {
    const stripe = this.#store.getFromMemory(id) ?? (await this.#store.getFromFlash(id));
    if (!stripe) return this.#answer(request, 404);
    if (this.#bodyBytes + stripe.length > this.#bodyBytesMax) return this.#answer(request, 503);
    this.#bodyBytes += stripe.length;
    this.#answer(request, 200, stripe, () => {
      this.#bodyBytes -= stripe.length;
      this.#observe(request, startMs);
    });
  }

  async #put(id: string, request: HttpRequest): Promise<void> {
    const key = parseStripeId(id);
    const { bodyBytes } = request;
    const most = Math.min(limits.l2.stripeBytes, this.#options.stripeBytes);
    if (!(bodyBytes > 0 && bodyBytes <= most)) return this.#answer(request, 413);
    if (this.#draining || this.#bodyBytes + bodyBytes > this.#bodyBytesMax) {
      return this.#answer(request, 503);
    }
    this.#bodyBytes += bodyBytes;
    try {
      const stripe = await request.body();
      if (!stripe) return;
      const startMs = this.#options.clock.monotonicMs();
      checkStripe(stripe, key, request.headers.get('x-sluice-body'));
      const stored = this.#store.put(key, stripe);
      this.#answer(request, stored ? 201 : 200, undefined, () => this.#observe(request, startMs));
    } finally {
      this.#bodyBytes -= bodyBytes;
    }
  }

  #health(request: HttpRequest): void {
    const state = this.#draining ? 'draining' : this.#store.degraded ? 'degraded' : 'ok';
    this.#answer(request, this.#draining ? 503 : 200, Buffer.from(`${state}\n`));
  }

  async #metrics(request: HttpRequest): Promise<void> {
    const { secrets, metricsText } = this.#options;
    const allowed =
      bearsMetricsToken(secrets, request.headers.get('authorization')) || this.#verified(request);
    if (!allowed) return this.#answer(request, 401);
    this.#answer(request, 200, Buffer.from(await metricsText()));
  }

  #answer(request: HttpRequest, status: number, body?: Buffer, sent?: () => void): void {
    this.#answers.add(1, { method: request.method, answer: String(status) });
    request.answer({
      status,
      ...(status === 503 && { headers: RETRY_AFTER }),
      ...(body && { body }),
      ...(sent && { sent }),
    });
  }

  #fail(request: HttpRequest, error: unknown): void {
    const status = error instanceof SluiceError ? error.traits.httpStatus : 500;
    if (status === 500) this.#options.logger.error({ error, path: request.path }, 'request failed');
    this.#answer(request, status);
  }

  #observe({ method }: HttpRequest, startMs: number): void {
    const seconds = (this.#options.clock.monotonicMs() - startMs) / 1000;
    this.#seconds.observe(seconds, { method });
  }
}
