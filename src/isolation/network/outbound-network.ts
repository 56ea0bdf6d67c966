import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { type Logger, SluiceError } from '../../base/mod.ts';
import type { OutboundSettings } from '../../outbound/mod.ts';
import { AddressBlock, type NetworkAddress } from './addresses.ts';
import { hostNameservers } from './nameservers.ts';
import { composeRules } from './rules.ts';
import { ip, nft, runTool } from './tools.ts';

export interface OutboundNetworkOptions {
  /** Hexadecimal, of this region alone: names its bridge and its rules. */
  readonly ownerId: string;
  readonly logger: Logger;
  /** What sandboxes reach beside the world, and not in it; nothing nearer if absent. */
  readonly outbound?: OutboundSettings;
  /** What sandboxes ask for names; the host's if absent. */
  readonly nameservers?: readonly string[];
}

/** Interfaces' names have at most 15 characters. */
const NAME_CHARS = 11;
const FORWARDING = '/proc/sys/net/ipv4/ip_forward';
const BLOCKS_TRIED = 16;

/**
 * A region's network: a bridge on the host, and rules by which sandboxes reach other hosts and
 * nothing nearer. Each launcher has a network namespace of its own, joined to the bridge ahead of
 * its sandbox; the kernel removes that with the sandbox, however it ends. Bridge and rules are
 * removed at `close`, or by the next `open` or `sweep` of the same owner.
 */
export class OutboundNetwork {
  readonly nameservers: readonly string[];
  readonly #name: string;
  readonly #block: AddressBlock;
  #interfaces = 0;

  private constructor(name: string, block: AddressBlock, nameservers: readonly string[]) {
    this.#name = name;
    this.#block = block;
    this.nameservers = nameservers;
  }

  /** Throws `HOST_LACKS` naming the tool or the part of the kernel that is missing. */
  static async open(options: OutboundNetworkOptions): Promise<OutboundNetwork> {
    const name = nameOf(options.ownerId);
    await removeInterfaces(name);
    const block = await freeBlock(Number.parseInt(options.ownerId.slice(0, 8), 16) || 0);
    const nameservers = options.nameservers ?? hostNameservers();
    const network = new OutboundNetwork(name, block, nameservers);
    const outbound = options.outbound ?? { allow: [] };
    try {
      const bridge = `link add name ${name} type bridge\n`;
      const address = `addr add ${block.gateway}/${block.prefixBits} dev ${name}\n`;
      await ip(`${bridge}${address}link set ${name} up\n`);
      const { subnet } = block;
      await nft(composeRules({ table: name, bridge: name, subnet, nameservers, outbound }));
      await forward(options.logger);
      return network;
    } catch (error) {
      await network.close().catch(() => {});
      throw error;
    }
  }

  /** Removes what a killed life of this owner left; costs nothing if that is nothing. */
  static async sweep(ownerId: string): Promise<void> {
    const name = nameOf(ownerId);
    if (existsSync(`/sys/class/net/${name}`)) await remove(name);
  }

  /** Joins the network namespace of a process to the bridge; its interface there is `eth0`. */
  async attach(pid: number): Promise<NetworkAddress> {
    const address = this.#block.take();
    const outside = `${this.#name}${(this.#interfaces++ % 0x1_0000).toString(16)}`;
    try {
      await ip(
        `link add ${outside} type veth peer name eth0 netns ${pid}\n` +
          `link set ${outside} master ${this.#name}\n` +
          `link set ${outside} type bridge_slave isolated on\n` +
          `link set ${outside} up\n`,
      );
      return address;
    } catch (error) {
      this.detach(address);
      throw error;
    }
  }

  /** The namespace that had it is gone. */
  detach(address: NetworkAddress): void {
    this.#block.giveBack(address);
  }

  async close(): Promise<void> {
    await remove(this.#name);
  }
}

const nameOf = (ownerId: string) => `slu${ownerId.slice(0, NAME_CHARS - 3)}`;

async function remove(name: string): Promise<void> {
  await nft(`table inet ${name}\ndelete table inet ${name}\n`);
  await removeInterfaces(name);
}

/** The bridge, and what was joined to it, which the kernel may be about to remove by itself. */
async function removeInterfaces(name: string): Promise<void> {
  const links = await runTool('ip', ['-o', 'link']);
  const names = [...links.matchAll(/^\d+: ([^:@]+)/gm)].map((match) => match[1] ?? '');
  const joined = names.filter((each) => each.startsWith(name) && each !== name);
  for (const each of joined) await ip(`link del ${each}\n`).catch(() => {});
  if (names.includes(name)) await ip(`link del ${name}\n`);
}

/** A block that none of the host's routes leads to, near the one of the region's own number. */
async function freeBlock(preferred: number): Promise<AddressBlock> {
  const routes = await runTool('ip', ['-4', 'route', 'show', 'table', 'all']);
  const targets = routes.split('\n').flatMap((line) => {
    const words = line.split(' ').filter((word) => word !== 'local' && word !== 'broadcast');
    return /^[\d.]+(\/\d+)?$/.test(words[0] ?? '') ? [words[0] as string] : [];
  });
  for (let index = preferred; index < preferred + BLOCKS_TRIED; index++) {
    const block = new AddressBlock(index);
    if (!targets.some((target) => block.overlaps(target))) return block;
  }
  throw new SluiceError('HOST_LACKS', '100.64.0.0/10: the host has routes to all that was tried');
}

async function forward(logger: Logger): Promise<void> {
  if ((await readFile(FORWARDING, 'utf8')).trim() === '1') return;
  await writeFile(FORWARDING, '1\n');
  logger.warn({ setting: FORWARDING }, 'the host forwards packets from now on');
}
