import { readFile } from 'node:fs/promises';
import { type Clock, type Logger, limits, SluiceError, type Timer } from '../../base/mod.ts';
import { parseNodeAddress } from './node-connection.ts';

/** Who the zone's cache nodes are, now. */
export interface Membership {
  /** `HOST:PORT` each; the same array for as long as nothing changes. */
  nodes(): readonly string[];
}

export function staticMembership(addresses: readonly string[]): Membership {
  const nodes = checked(addresses, 'the list of cache nodes');
  return { nodes: () => nodes };
}

/**
 * Members from a file with one `HOST:PORT` a line (`#` begins a comment), read again every second:
 * a node joins or leaves by writing its line. A file that cannot be read or understood changes
 * nothing, so that a slip of the pen does not empty the cache.
 */
export class FileMembership implements Membership {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #nodes: readonly string[] = [];
  #timer: Timer | undefined;

  private constructor(path: string, clock: Clock, logger: Logger) {
    this.#path = path;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Rejects with `CONFIG_INVALID` when the file is not good at the start. */
  static async open(path: string, clock: Clock, logger: Logger): Promise<FileMembership> {
    const membership = new FileMembership(path, clock, logger);
    membership.#nodes = await membership.#read();
    membership.#schedule();
    return membership;
  }

  nodes(): readonly string[] {
    return this.#nodes;
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #schedule(): void {
    this.#timer = this.#clock.setTimer(limits.l2.membershipPollMs, () => void this.#poll());
  }

  async #poll(): Promise<void> {
    try {
      const nodes = await this.#read();
      if (nodes.join() !== this.#nodes.join()) this.#nodes = nodes;
    } catch (error) {
      this.#logger.warn({ error, path: this.#path }, 'the list of cache nodes stays as it was');
    }
    if (this.#timer) this.#schedule();
  }

  async #read(): Promise<readonly string[]> {
    const text = await readFile(this.#path, 'utf8').catch((cause: unknown) => {
      throw new SluiceError('CONFIG_INVALID', `${this.#path}: cannot be read`, { cause });
    });
    const lines = text.split('\n').flatMap((line) => line.replace(/#.*/, '').trim() || []);
    return checked(lines, this.#path);
  }
}

function checked(addresses: readonly string[], where: string): readonly string[] {
  for (const address of addresses) parseNodeAddress(address);
  if (addresses.length > limits.l2.nodes) {
    throw new SluiceError('CONFIG_INVALID', `${where}: more than ${limits.l2.nodes} cache nodes`);
  }
  return [...addresses];
}
