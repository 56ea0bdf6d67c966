import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { type Logger, limits, toSluiceError } from '../base/mod.ts';
import { ByteStream } from './byte-stream.ts';
import type { NbdExport } from './export.ts';
import { Handshake } from './handshake.ts';
import { Transmission } from './transmission.ts';

/**
 * An NBD server (fixed newstyle, structured replies, block status) for exports of this process, on
 * a unix socket or a loopback port. A client may use several connections for one export.
 */
export class NbdServer {
  readonly #exports: readonly NbdExport[];
  readonly #logger: Logger;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(exports: readonly NbdExport[], logger: Logger) {
    this.#exports = exports;
    this.#logger = logger;
    this.#server = createServer((socket) => {
      this.#serve(socket).catch(() => {});
    });
    this.#server.maxConnections = limits.nbd.connections;
  }

  /** `{ path }` for a unix socket, `{ host, port }` for TCP; rejects with Node's listen errors. */
  async listen(where: Pick<ListenOptions, 'path' | 'host' | 'port'>): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(where, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  /** Breaks all connections. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #serve(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    try {
      const stream = new ByteStream(socket);
      const negotiated = await new Handshake(stream, this.#exports).run();
      if (negotiated) await new Transmission(stream, negotiated).run();
    } catch (error) {
      const { code, message } = toSluiceError(error);
      this.#logger.warn({ code }, `nbd: connection ended: ${message}`);
    } finally {
      this.#sockets.delete(socket);
      socket.destroy();
    }
  }
}
