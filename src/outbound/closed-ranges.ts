/**
 * What tenants never reach unless the operator opens it: this host, its links, private networks,
 * networks for documentation and benchmarks, multicast, and clouds' metadata services (IANA's
 * special-purpose address registries; RFC 6890).
 */
export const closedIpv4Ranges: readonly string[] = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16'],
  ...['172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16'],
  ...['198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/3'],
  // Azure's platform, which answers its own machines at a public address.
  '168.63.129.16/32',
];

/** The same of IPv6, with all ranges that lead to IPv4 addresses: NAT64, 6to4, Teredo, mapped. */
export const closedIpv6Ranges: readonly string[] = [
  ...['::/96', '::ffff:0:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48', '100::/64', '100:0:0:1::/64'],
  ...['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20', '5f00::/16'],
  ...['fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8'],
];

/** Of these, what is this host itself, its links, and what clouds answer their machines at. */
export const nearRanges: readonly string[] = [
  ...['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3', '168.63.129.16/32'],
  ...['::/96', 'fe80::/10', 'fec0::/10', 'ff00::/8', 'fd00:ec2::/32'],
];
