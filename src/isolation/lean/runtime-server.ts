import { Server, type Socket } from 'node:net';
import { SluiceError } from '../../base/mod.ts';
import type { ServerHandle } from './launcher/launcher.ts';

/** The server that listens inside a sandbox, from its arrival until the sandbox ends. */
export class RuntimeServer {
  readonly #sandboxId: string;
  readonly #connections = new Set<Socket>();
  #handle: ServerHandle | undefined;
  #server: Server | undefined;
  #closed = false;

  constructor(sandboxId: string) {
    this.#sandboxId = sandboxId;
  }

  get server(): Server {
    this.#server ??= this.#listen();
    return this.#server;
  }

  /** Nobody has accepted anything on it, unless `server` was asked for. */
  get handle(): ServerHandle {
    if (this.#handle !== undefined) return this.#handle;
    throw new SluiceError('INTERNAL', `${this.#sandboxId}: asked for its server before it started`);
  }

  arrive(handle: ServerHandle): void {
    this.#handle = handle;
    if (this.#closed) this.close();
  }

  #listen(): Server {
    const server = new Server();
    server.on('connection', (connection) => {
      this.#connections.add(connection);
      connection.once('close', () => this.#connections.delete(connection));
    });
    return server.listen(this.handle);
  }

  close(): void {
    this.#closed = true;
    if (this.#server) this.#server.close();
    else this.#handle?.close();
    for (const connection of this.#connections) connection.destroy();
  }
}
