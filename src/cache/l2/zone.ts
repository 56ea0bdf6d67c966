import type { Clock } from '../../base/mod.ts';
import type { ChunkName } from '../../seal/mod.ts';
import type { Membership } from './membership.ts';
import { NodeClient } from './node-client.ts';
import { Placement } from './placement.ts';
import type { SharedSecrets } from './request-signature.ts';

export interface ZoneOptions {
  readonly membership: Membership;
  /** Stripes of a chunk, k+m. */
  readonly width: number;
  readonly secrets: SharedSecrets;
  readonly clock: Clock;
  readonly uploadTimeoutMs?: number;
}

/** The cache nodes of this moment, a client for each, and which of them a stripe belongs to. */
export class Zone {
  readonly #options: ZoneOptions;
  readonly #clients = new Map<string, NodeClient>();
  #nodes: readonly string[] | undefined;
  #placement: Placement;

  constructor(options: ZoneOptions) {
    this.#options = options;
    this.#placement = new Placement([], options.width);
  }

  /** Undefined while there are no nodes. */
  clientOf(chunkName: ChunkName, index: number): NodeClient | undefined {
    const nodes = this.#options.membership.nodes();
    if (nodes !== this.#nodes) this.#change(nodes);
    const address = this.#placement.nodeOf(chunkName, index);
    return address === undefined ? undefined : this.#clients.get(address);
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
  }

  #change(nodes: readonly string[]): void {
    this.#nodes = nodes;
    this.#placement = new Placement(nodes, this.#options.width);
    for (const [address, client] of this.#clients) {
      if (nodes.includes(address)) continue;
      client.close();
      this.#clients.delete(address);
    }
    for (const address of nodes) {
      if (this.#clients.has(address)) continue;
      this.#clients.set(address, new NodeClient({ ...this.#options, address }));
    }
  }
}
