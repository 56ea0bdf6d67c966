import { lookup } from 'node:dns/promises';
import { existsSync, readlinkSync } from 'node:fs';
import { type Logger, toSluiceError } from '../../base/mod.ts';
import { isRange, type OutboundSettings } from '../../outbound/mod.ts';
import {
  apart,
  composeAdmission,
  composeDismissal,
  composeHelperTable,
  type HelperReach,
} from './helper-rules.ts';
import { nameserversOfHost } from './nameservers.ts';
import { nft, runTool } from './tools.ts';

export interface HelperNetworkOptions {
  /** Hexadecimal, of this region alone: begins the names of its processes' tables. */
  readonly ownerId: string;
  readonly outbound: Pick<OutboundSettings, 'deny'>;
  readonly logger: Logger;
  /** Addresses of a name; empty where it has none. */
  readonly resolve?: (name: string) => Promise<readonly string[]>;
}

/** Who was admitted. */
export interface HelperAdmission {
  /** No process of the user id is left. */
  end(): Promise<void>;
}

async function addressesOf(name: string): Promise<string[]> {
  const found = await lookup(name, { all: true }).catch(() => []);
  return found.map(({ address }) => address.split('%')[0] ?? address);
}

/**
 * Bounds by user id what helpers reach that share the host's network: nftables rules, in a table of
 * this process, which go when it closes, or with the next process of Sluice's that has one. Where the host
 * has no nftables it says so once, and helpers reach what the host does.
 */
export class HelperNetwork {
  readonly #options: HelperNetworkOptions;
  readonly #table: string;
  #opening: Promise<boolean> | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(options: HelperNetworkOptions) {
    this.#options = options;
    this.#table = `slu${options.ownerId.slice(0, 8)}_${numbersOfProcesses()}_${process.pid}`;
  }

  /**
   * From now on the user id reaches no more than this. Nothing where the host has no nftables;
   * rejects with `HOST_LACKS` where it has and they refuse.
   */
  async admit(uid: number, { scope, open }: HelperReach): Promise<HelperAdmission | undefined> {
    this.#opening ??= this.#open();
    if (!(await this.#opening)) return undefined;
    const { resolve = addressesOf } = this.#options;
    const names = open.filter((each) => !isRange(each) && !each.startsWith('*.'));
    const resolved = await Promise.all(names.map(resolve));
    const reach = { scope, open: apart([...open.filter(isRange), ...resolved.flat()]) };
    await this.#run(composeAdmission(this.#table, uid, reach, apart(nameserversOfHost())));
    const end = () => this.#run(composeDismissal(this.#table, uid)).catch(() => {});
    return { end };
  }

  /** Whether the host can; rejects with `HOST_LACKS`, which says why not. Leaves nothing behind. */
  static async tryOut(): Promise<void> {
    const table = `sludoctor_${process.pid}`;
    await nft(composeHelperTable(table, {}) + composeRemoval(table));
  }

  async close(): Promise<void> {
    if (!(await this.#opening)) return;
    this.#opening = undefined;
    await this.#run(composeRemoval(this.#table));
  }

  async #open(): Promise<boolean> {
    const { outbound, logger } = this.#options;
    try {
      await sweep();
      await this.#run(composeHelperTable(this.#table, outbound));
      return true;
    } catch (error) {
      const { message } = toSluiceError(error);
      const said = 'flatteners that pull reach what this host does; see sluice doctor';
      logger.warn({ reason: message }, said);
      return false;
    }
  }

  /** One after the other, so that nothing is taken back before it was given. */
  #run(commands: string): Promise<void> {
    const done = this.#last.then(async () => {
      await nft(commands);
    });
    this.#last = done.catch(() => {});
    return done;
  }
}

const composeRemoval = (table: string) => `table inet ${table}\ndelete table inet ${table}\n`;

/** Which process numbers ours are: those of a container are others, on the same network. */
const numbersOfProcesses = () => /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0';

/** Removes tables of processes that are gone. */
async function sweep(): Promise<void> {
  const tables = await runTool('nft', ['list', 'tables', 'inet']);
  const ours = numbersOfProcesses();
  for (const [, name, numbers, pid] of tables.matchAll(/^table inet (slu\w{8}_(\d+)_(\d+))$/gm)) {
    if (numbers !== ours || existsSync(`/proc/${pid}`)) continue;
    await nft(`table inet ${name}\ndelete table inet ${name}\n`);
  }
}
