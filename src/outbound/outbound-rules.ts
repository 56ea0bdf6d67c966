import { BlockList, isIP } from 'node:net';
import { closedIpv4Ranges, closedIpv6Ranges } from './closed-ranges.ts';

/** What an operator says of hosts: host names, `*.DOMAIN`, addresses, `ADDRESS/BITS`. */
export interface OutboundSettings {
  /** Reachable in spite of all, and without HTTPS. */
  readonly allow: readonly string[];
  /** Closed as well: addresses that lead back here and that no interface shows. */
  readonly deny?: readonly string[];
}

/** Whether an entry is an address or a range of them, and no name. */
export const isRange = (entry: string) => isIP(entry.split('/')[0] ?? '') !== 0;

const familyOf = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4');

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits] = range.split('/');
    if (bits === undefined) list.addAddress(address, familyOf(address));
    else list.addSubnet(address, Number(bits), familyOf(address));
  }
  return list;
}

function namesOf(entries: readonly string[]): (host: string) => boolean {
  const names = entries.filter((entry) => !isRange(entry)).map((entry) => entry.toLowerCase());
  return (host) =>
    names.some((name) => (name.startsWith('*.') ? host.endsWith(name.slice(1)) : host === name));
}

/** Says of names and addresses whether a tenant's request may lead there. */
export class OutboundRules {
  readonly isNamed: (host: string) => boolean;
  readonly isDenied: (host: string) => boolean;
  readonly #open: BlockList;
  readonly #closed: BlockList;

  constructor({ allow, deny = [] }: OutboundSettings) {
    this.#open = listOf(allow.filter(isRange));
    this.#closed = listOf([...closedIpv4Ranges, ...closedIpv6Ranges, ...deny.filter(isRange)]);
    this.isNamed = namesOf(allow);
    this.isDenied = namesOf(deny);
  }

  /** Whether the operator has opened this address. */
  isOpened(address: string): boolean {
    return this.#open.check(address, familyOf(address));
  }

  /** `own` are this host's addresses, as they are now. */
  isReachable(address: string, own: ReadonlySet<string>): boolean {
    if (this.isOpened(address)) return true;
    return !own.has(plainAddress(address)) && !this.#closed.check(address, familyOf(address));
  }
}

/** One spelling an address: IPv4 for what IPv6 maps, no zone. */
export function plainAddress(address: string): string {
  const [plain = ''] = address.toLowerCase().split('%', 1);
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(plain)?.[1];
  if (mapped !== undefined) return mapped;
  if (isIP(plain) !== 6) return plain;
  const host = URL.parse(`http://[${plain}]/`)?.hostname.slice(1, -1) ?? plain;
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host) ?? [];
  if (high === undefined || low === undefined) return host;
  const value = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return value.flatMap((half) => [half >> 8, half & 255]).join('.');
}
