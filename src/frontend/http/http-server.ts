import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { type Clock, limits, type Random, SluiceError, systemErrorCode } from '../../base/mod.ts';
import { Connections } from './connections.ts';
import { namesHosts, refuseConnection } from './responses.ts';

export type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
) => Promise<void>;

/** What the server proves itself with, in PEM. */
export interface TlsIdentity {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

export interface HttpServerOptions {
  readonly tls?: TlsIdentity;
  readonly connections?: number;
}

const twoHosts = new Error('two Host headers');

/** A listening socket with limits on everything a client can make it hold, and an orderly end. */
export class HttpServer {
  readonly #server: Server;
  readonly #clock: Clock;
  /** Of all requests, for they are aborted together. */
  readonly #closing = new AbortController();
  #running = 0;
  readonly #connections = new Connections();
  #onIdle: (() => void) | undefined;

  constructor(
    handler: Handler,
    clock: Clock,
    random: Random,
    { tls, connections = limits.http.connections }: HttpServerOptions = {},
  ) {
    this.#clock = clock;
    const settings = { maxHeaderSize: limits.http.headerBytes };
    const onRequest = (request: IncomingMessage, response: ServerResponse) => {
      if (namesHosts(request)) refuseConnection(twoHosts, request.socket, random.uuid());
      else void this.#run(handler, request, response);
    };
    this.#server = tls
      ? createTlsServer({ ...settings, ...tls, minVersion: 'TLSv1.2' }, onRequest)
      : createServer(settings, onRequest);
    this.#server.maxConnections = Math.min(limits.http.connections, connections);
    this.#server.headersTimeout = limits.http.headTimeoutMs;
    this.#server.requestTimeout = limits.http.receiveTimeoutMs;
    this.#server.keepAliveTimeout = limits.http.keepAliveMs;
    this.#server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) =>
      this.#connections.add(socket),
    );
    this.#server.on('clientError', (error, socket) => {
      refuseConnection(error, socket as Socket, random.uuid());
    });
  }

  /** Rejects with `PORT_IN_USE`, naming the address. */
  async listen(host: string, port: number): Promise<AddressInfo> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause) => {
        const used = systemErrorCode(cause) === 'EADDRINUSE';
        const message = used
          ? `${host}:${port}: another process listens there; choose another address`
          : `${host}:${port}: cannot listen: ${cause.message}`;
        reject(new SluiceError(used ? 'PORT_IN_USE' : 'CONFIG_INVALID', message, { cause }));
      });
      this.#server.listen(port, host, resolve);
    });
    return this.#server.address() as AddressInfo;
  }

  /** A request on this connection was signed by the account. */
  prove(request: IncomingMessage, response: ServerResponse, accountId: string): void {
    if (!this.#connections.prove(request.socket, accountId)) response.shouldKeepAlive = false;
  }

  /** Takes no new requests, gives running ones `graceMs`, then aborts them. */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    if (this.#running > 0) {
      const controller = new AbortController();
      const idle = new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
      await Promise.race([idle, this.#clock.sleep(graceMs, controller.signal).catch(() => {})]);
      controller.abort();
    }
    const reason = new SluiceError('CANCELLED', 'the server is closing');
    this.#closing.abort(reason);
    this.#server.closeAllConnections();
    await closed;
  }

  async #run(handler: Handler, request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#running++;
    // Not when the handler returns: the answer may still be on its way out.
    response.once('close', () => {
      this.#running--;
      if (this.#running === 0) this.#onIdle?.();
    });
    try {
      await handler(request, response, this.#closing.signal);
    } catch {
      // A handler answers every error itself; what comes this far leaves no way to answer.
      response.destroy();
    }
  }
}
