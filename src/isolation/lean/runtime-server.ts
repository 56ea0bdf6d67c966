import type { Server, Socket } from 'node:net';
import { SluiceError } from '../../base/mod.ts';

/** The server that listens inside a sandbox, from its arrival until the sandbox ends. */
export class RuntimeServer {
  readonly #sandboxId: string;
  readonly #connections = new Set<Socket>();
  #server: Server | undefined;
  #closed = false;

  constructor(sandboxId: string) {
    this.#sandboxId = sandboxId;
  }

  get server(): Server {
    if (this.#server !== undefined) return this.#server;
    throw new SluiceError('INTERNAL', `${this.#sandboxId}: asked for its server before it started`);
  }

  arrive(server: Server): void {
    this.#server = server;
    if (this.#closed) this.close();
    server.on('connection', (connection) => {
      this.#connections.add(connection);
      connection.once('close', () => this.#connections.delete(connection));
    });
  }

  close(): void {
    this.#closed = true;
    this.#server?.close();
    for (const connection of this.#connections) connection.destroy();
  }
}
