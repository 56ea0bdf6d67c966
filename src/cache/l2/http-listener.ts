import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type Clock, SluiceError, type Timer } from '../../base/mod.ts';
import { HttpConnection, type HttpRequest } from './http-connection.ts';

/** How often connections are looked through for clients that keep them waiting. */
const SWEEP_MS = 1000;

export interface HttpListenerOptions {
  readonly clock: Clock;
  readonly connections: number;
  readonly onRequest: (request: HttpRequest) => void;
}

/** A cache node's listening socket and its connections. */
export class HttpListener {
  readonly #options: HttpListenerOptions;
  readonly #server: Server;
  readonly #connections = new Set<HttpConnection>();
  #sweep: Timer | undefined;

  constructor(options: HttpListenerOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    this.#server.maxConnections = options.connections;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Rejects with `PORT_IN_USE` or `CONFIG_INVALID`. */
  async listen(host: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause: NodeJS.ErrnoException) => {
        const code = cause.code === 'EADDRINUSE' ? 'PORT_IN_USE' : 'CONFIG_INVALID';
        reject(new SluiceError(code, `${host}:${port}: cannot listen`, { cause }));
      });
      this.#server.listen(port, host, resolve);
    });
    this.#arm();
  }

  /** Takes no new connection; resolves when all have ended, which `graceMs` sees to. */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.close();
    const timer = this.#options.clock.setTimer(graceMs, () => {
      for (const connection of this.#connections) connection.destroy();
    });
    await closed;
    timer.cancel();
    this.#sweep?.cancel();
  }

  #accept(socket: Socket): void {
    const { clock, onRequest } = this.#options;
    const connection = new HttpConnection(socket, clock, onRequest);
    this.#connections.add(connection);
    socket.once('close', () => this.#connections.delete(connection));
  }

  #arm(): void {
    const { clock } = this.#options;
    this.#sweep = clock.setTimer(SWEEP_MS, () => {
      const nowMs = clock.monotonicMs();
      for (const connection of this.#connections) connection.checkTime(nowMs);
      this.#arm();
    });
  }
}
