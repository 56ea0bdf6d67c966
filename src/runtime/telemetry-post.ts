import { Agent, type ClientRequestArgs, request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { limits } from '../base/mod.ts';

type Connect = (port: number) => Promise<Socket>;
type Connected = (error: Error | null, stream: Duplex) => void;

/** Keeps one connection to a listener inside the sandbox. */
class SandboxAgent extends Agent {
  readonly #connect: Connect;

  constructor(connect: Connect) {
    super({ keepAlive: true, maxSockets: 1 });
    this.#connect = connect;
  }

  override createConnection(options: ClientRequestArgs, connected?: Connected): undefined {
    this.#connect(Number(options.port)).then(
      (socket) => connected?.(null, socket),
      (error) => connected?.(error as Error, undefined as unknown as Duplex),
    );
  }
}

/** Posts to one place inside a sandbox. */
export class TelemetryPost {
  readonly #agent: SandboxAgent;
  readonly #port: number;
  readonly #path: string;

  constructor(connect: Connect, port: number, path: string) {
    this.#agent = new SandboxAgent(connect);
    this.#port = port;
    this.#path = path;
  }

  /** Whether the listener took it; however long that takes: a frozen one answers when it thaws. */
  send(body: Buffer): Promise<boolean> {
    return new Promise((resolve) => {
      const headers = {
        Host: `sandbox.localdomain:${this.#port}`,
        'Content-Type': 'application/json',
        'Content-Length': String(body.length),
      };
      const where = { method: 'POST', port: this.#port, path: this.#path, agent: this.#agent };
      const request = httpRequest({ ...where, headers }, (response) => {
        const { statusCode = 0 } = response;
        let sizeBytes = 0;
        response.on('data', (part: Buffer) => {
          sizeBytes += part.length;
          if (sizeBytes > limits.runtime.telemetryResponseBytes) response.destroy();
        });
        response.on('error', () => {});
        response.on('close', () => resolve(statusCode >= 200 && statusCode < 300));
      });
      request.on('error', () => resolve(false));
      request.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
