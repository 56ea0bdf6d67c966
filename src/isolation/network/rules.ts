import { isIPv4 } from 'node:net';
import { closedIpv4Ranges, isRange, type OutboundSettings } from '../../outbound/mod.ts';

export interface RuleOptions {
  readonly table: string;
  readonly bridge: string;
  readonly subnet: string;
  /** What sandboxes ask for names: reachable at its port, wherever it is. */
  readonly nameservers: readonly string[];
  /** Addresses and ranges count here; what is written as a name does not. */
  readonly outbound: OutboundSettings;
}

const ofIpv4 = (entries: readonly string[]) =>
  entries.filter((entry) => isRange(entry) && isIPv4(entry.split('/')[0] ?? ''));

/** Empty sets are no syntax of nftables. */
const ruleFor = (entries: readonly string[], rule: (set: string) => string) =>
  entries.length === 0 ? '' : `\n    ${rule(`{ ${entries.join(', ')} }`)}`;

/**
 * The nftables rules of a region's sandboxes: out to other hosts, in their name; neither to this
 * host, by any of its addresses, nor to one another, nor to what no tenant reaches by this region.
 */
export function composeRules(options: RuleOptions): string {
  const { table, bridge, subnet, nameservers, outbound } = options;
  const inside = `iifname "${bridge}"`;
  const names = ruleFor(nameservers, (set) => `${inside} ip daddr ${set} th dport 53 accept`);
  const open = ruleFor(ofIpv4(outbound.allow), (set) => `${inside} ip daddr ${set} accept`);
  const closed = [...closedIpv4Ranges, ...ofIpv4(outbound.deny ?? [])];
  return `
table inet ${table}
delete table inet ${table}
table inet ${table} {
  set closed {
    type ipv4_addr
    flags interval
    auto-merge
    elements = { ${closed.join(', ')} }
  }
  chain to_host {
    type filter hook input priority -10; policy accept;
    ${inside} reject
  }
  chain through_host {
    type filter hook forward priority -10; policy accept;
    ${inside} meta nfproto ipv6 reject
    ${inside} ip saddr != ${subnet} drop
    ${inside} oifname "${bridge}" reject${names}${open}
    ${inside} ip daddr @closed reject
    oifname "${bridge}" ct state established,related accept
    oifname "${bridge}" drop
  }
  chain outward {
    type nat hook postrouting priority 100; policy accept;
    ip saddr ${subnet} oifname != "${bridge}" masquerade
  }
}
`;
}
