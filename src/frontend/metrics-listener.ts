import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Clock, limits, type Random } from '../base/mod.ts';
import { HttpServer, type TlsIdentity } from './http/http-server.ts';
import { hasToken } from './metrics-access.ts';

/** Renders collected metrics. */
export interface MetricsText {
  readonly contentType: string;
  text(): Promise<string>;
}

export interface MetricsListenerOptions {
  readonly metrics: MetricsText;
  /** Without one, whoever reaches the listener may read. */
  readonly token?: string | undefined;
  readonly tls?: TlsIdentity | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

/** Answers with metrics, and nothing else. */
export class MetricsListener {
  readonly #server: HttpServer;
  readonly #options: MetricsListenerOptions;

  constructor(options: MetricsListenerOptions) {
    this.#options = options;
    const { clock, random, tls } = options;
    const { metricsConnections: connections } = limits.http;
    const handle = (request: IncomingMessage, response: ServerResponse) =>
      this.#handle(request, response);
    this.#server = new HttpServer(handle, clock, random, { connections, ...(tls && { tls }) });
  }

  /** Answers the port. Rejects with `PORT_IN_USE`. */
  async listen(host: string, port: number): Promise<number> {
    return (await this.#server.listen(host, port)).port;
  }

  async close(): Promise<void> {
    await this.#server.close(0);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { token, metrics } = this.#options;
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404, { 'Content-Length': 0 }).end();
    } else if (token !== undefined && !hasToken(request, token)) {
      response.writeHead(401, { 'Content-Length': 0, 'WWW-Authenticate': 'Bearer' }).end();
    } else await answerMetrics(response, metrics);
  }
}

export async function answerMetrics(response: ServerResponse, metrics: MetricsText): Promise<void> {
  const text = await metrics.text();
  const length = Buffer.byteLength(text);
  response.writeHead(200, { 'Content-Type': metrics.contentType, 'Content-Length': length });
  response.end(text);
}
