import { type LookupAddress, type LookupOptions, lookup } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import { Agent } from 'undici';
import { limits, SluiceError } from '../base/mod.ts';

/** As `dns.lookup` answers when all addresses are asked for. */
export type ResolveName = (
  hostname: string,
  options: LookupOptions & { all: true },
  answer: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export interface OutboundGuardOptions {
  /** What is reachable in spite of all: host names, `*.DOMAIN`, addresses, `ADDRESS/BITS`. */
  readonly allow: readonly string[];
  /** Accounts that may reach everything. */
  readonly trustedAccounts: readonly string[];
  readonly resolve?: ResolveName;
}

/**
 * Not for tenants (IANA's special-purpose registries): this host, its links, private networks, and
 * the IPv6 ranges that lead to IPv4 addresses.
 */
const closedRanges = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16'],
  ...['172.16.0.0/12', '192.0.0.0/24', '192.168.0.0/16', '198.18.0.0/15', '224.0.0.0/3'],
  ...['::/96', '64:ff9b::/96', '64:ff9b:1::/48', '100::/64', '2001::/32', '2002::/16'],
  ...['fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8'],
];

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits] = range.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

const isRange = (entry: string) => isIP(entry.split('/')[0] ?? '') !== 0;

/**
 * Decides which hosts a tenant's webhooks and queue URLs may name. A name is judged by the address
 * that is then connected to, so one that resolves otherwise the second time gains nothing.
 */
export class OutboundGuard {
  readonly #closed = listOf(closedRanges);
  readonly #open: BlockList;
  readonly #names: readonly string[];
  readonly #trusted: ReadonlySet<string>;
  readonly #guarded: Agent;
  readonly #free: Agent;

  constructor({ allow, trustedAccounts, resolve = lookup }: OutboundGuardOptions) {
    this.#open = listOf(allow.filter(isRange));
    this.#names = allow.filter((entry) => !isRange(entry)).map((entry) => entry.toLowerCase());
    this.#trusted = new Set(trustedAccounts);
    const connections = limits.queue.deliveryConnections;
    this.#free = new Agent({ connections });
    this.#guarded = new Agent({
      connections,
      connect: {
        lookup: (hostname, options, answer) =>
          resolve(hostname, { ...options, all: true }, (error, addresses) => {
            if (error) return answer(error, []);
            const reachable = addresses.filter(({ address }) => this.#isReachable(address));
            const [first] = reachable;
            if (!first) return answer(refused(hostname) as Error, []);
            return options.all
              ? answer(null, reachable)
              : answer(null, first.address, first.family);
          }),
      },
    });
  }

  /** What connects to the URL for this account. Throws `ACCESS_DENIED`. */
  agentFor(url: URL, accountId: string): Agent {
    const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
    if (this.#trusted.has(accountId) || this.#isNamed(host)) return this.#free;
    // An address goes to the socket without a lookup.
    if (isIP(host) !== 0 && !this.#isReachable(host)) throw refused(host);
    return this.#guarded;
  }

  async close(): Promise<void> {
    await Promise.all([this.#guarded.destroy(), this.#free.destroy()]);
  }

  #isNamed(host: string): boolean {
    return this.#names.some((name) =>
      name.startsWith('*.') ? host.endsWith(name.slice(1)) : host === name,
    );
  }

  #isReachable(address: string): boolean {
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    return this.#open.check(address, family) || !this.#closed.check(address, family);
  }
}

function refused(host: string): SluiceError {
  return new SluiceError(
    'ACCESS_DENIED',
    `${host}: not for this account; the operator may allow it with destinations.allow`,
    { data: { host } },
  );
}
