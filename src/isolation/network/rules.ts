/** Addresses that mean something to the machine that asks: cloud metadata, and no single host. */
const FORBIDDEN = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/3',
  // Metadata of Alibaba's and Azure's clouds.
  '100.100.100.200',
  '168.63.129.16',
];

export interface RuleOptions {
  readonly table: string;
  readonly bridge: string;
  readonly subnet: string;
}

/**
 * The nftables rules of a region's sandboxes: out to other hosts, in their name; neither to this
 * host, by any of its addresses, nor to one another, nor to what only this host should reach.
 */
export function composeRules({ table, bridge, subnet }: RuleOptions): string {
  const inside = `iifname "${bridge}"`;
  return `
table inet ${table}
delete table inet ${table}
table inet ${table} {
  chain to_host {
    type filter hook input priority -10; policy accept;
    ${inside} reject
  }
  chain through_host {
    type filter hook forward priority -10; policy accept;
    ${inside} meta nfproto ipv6 reject
    ${inside} ip saddr != ${subnet} drop
    ${inside} oifname "${bridge}" reject
    ${inside} ip daddr { ${FORBIDDEN.join(', ')} } reject
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
