import { hash } from 'node:crypto';
import { type Clock, limits } from '../../base/mod.ts';
import { type Exchange, NodeConnection, parseNodeAddress } from './node-connection.ts';
import { type SharedSecrets, signRequest } from './request-signature.ts';
import { STRIPES_PATH } from './stripe-key.ts';

/** `failed`: no answer in time, no connection, too many already, or none that makes sense. */
export type StripeAnswer = 'hit' | 'miss' | 'failed';

export interface NodeClientOptions {
  readonly address: string;
  readonly secrets: SharedSecrets;
  readonly clock: Clock;
  /** `limits.l2.uploadTimeoutMs` unless given. */
  readonly uploadTimeoutMs?: number;
}

/** A get that is under way. */
export interface StripeGet {
  /** Lets go of the target: what still arrives is dropped, but `done` is still called. */
  abandon(): void;
}

/**
 * A worker's connections to one cache node. At most `connectionsPerNode` are open; when all of them
 * wait for an answer the next request fails at once, so a node that hangs costs a bounded number of
 * connections and no time.
 */
export class NodeClient {
  readonly address: string;
  readonly #secrets: SharedSecrets;
  readonly #clock: Clock;
  readonly #uploadTimeoutMs: number;
  readonly #endpoint: { host: string; port: number };
  readonly #idle: NodeConnection[] = [];
  readonly #open = new Set<NodeConnection>();
  #closed = false;

  constructor({ address, secrets, clock, uploadTimeoutMs }: NodeClientOptions) {
    this.address = address;
    this.#uploadTimeoutMs = uploadTimeoutMs ?? limits.l2.uploadTimeoutMs;
    this.#secrets = secrets;
    this.#clock = clock;
    this.#endpoint = parseNodeAddress(address);
  }

  get(
    id: string,
    target: Buffer,
    timeoutMs: number,
    done: (answer: StripeAnswer) => void,
  ): StripeGet {
    const exchange: Exchange = {
      head: this.#head('GET', id, ''),
      target,
      done: (status) => done(status === 200 ? 'hit' : status === 404 ? 'miss' : 'failed'),
    };
    this.#start(exchange, timeoutMs);
    return {
      abandon: () => {
        exchange.target = undefined;
      },
    };
  }

  /** Whether the node now has the stripe. */
  put(id: string, stripe: Buffer): Promise<boolean> {
    const digest = hash('sha256', stripe);
    const head = this.#head('PUT', id, `x-sluice-body: ${digest}\r\n`, digest, stripe.length);
    return new Promise((resolve) => {
      const done = (status: number | undefined) => resolve(status === 200 || status === 201);
      this.#start({ head, body: stripe, done }, this.#uploadTimeoutMs);
    });
  }

  delete(id: string): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (status: number | undefined) => resolve(status === 204);
      this.#start({ head: this.#head('DELETE', id, ''), done }, this.#uploadTimeoutMs);
    });
  }

  close(): void {
    this.#closed = true;
    for (const connection of this.#open) connection.destroy();
  }

  #head(method: string, id: string, more: string, bodySha256 = '', lengthBytes?: number): string {
    const path = STRIPES_PATH + id;
    const signed = { method, path, bodySha256 };
    const authorization = signRequest(this.#secrets, this.#clock.nowMs(), signed);
    const length = lengthBytes === undefined ? '' : `content-length: ${lengthBytes}\r\n`;
    return (
      `${method} ${path} HTTP/1.1\r\nhost: ${this.address}\r\n` +
      `authorization: ${authorization}\r\n${more}${length}\r\n`
    );
  }

  #start(exchange: Exchange, timeoutMs: number): void {
    const connection = this.#acquire();
    if (!connection) {
      exchange.done(undefined);
      return;
    }
    const timer = this.#clock.setTimer(timeoutMs, () => connection.destroy());
    const { done } = exchange;
    exchange.done = (status) => {
      timer.cancel();
      this.#release(connection);
      done(status);
    };
    connection.start(exchange);
  }

  #acquire(): NodeConnection | undefined {
    if (this.#closed) return undefined;
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
      if (!idle.dead) {
        idle.ref(true);
        return idle;
      }
      this.#open.delete(idle);
    }
    if (this.#open.size >= limits.l2.connectionsPerNode) return undefined;
    const fresh = new NodeConnection(this.#endpoint.host, this.#endpoint.port);
    this.#open.add(fresh);
    return fresh;
  }

  #release(connection: NodeConnection): void {
    if (connection.dead || this.#closed) {
      this.#open.delete(connection);
      return;
    }
    connection.ref(false);
    this.#idle.push(connection);
  }
}
