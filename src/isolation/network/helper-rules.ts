import { BlockList, isIPv6 } from 'node:net';
import {
  closedIpv4Ranges,
  closedIpv6Ranges,
  isRange,
  nearRanges,
  type OutboundSettings,
} from '../../outbound/mod.ts';

/** What a helper on the host's network reaches, by the kernel. */
export interface HelperReach {
  /** `world`: what tenants' requests may lead to. `near`: private networks as well. */
  readonly scope: 'world' | 'near';
  /** Reachable in spite of all: names, addresses, ranges. Names count as they resolve at its start. */
  readonly open: readonly string[];
}

/** `true` for IPv6. */
const isSix = (range: string) => isIPv6(range.split('/')[0] ?? '');
const FAMILIES = [
  { six: false, word: 'ip', suffix: '4', type: 'ipv4_addr' },
  { six: true, word: 'ip6', suffix: '6', type: 'ipv6_addr' },
] as const;

function rangeSet(name: string, type: string, ranges: readonly string[]): string {
  return `
  set ${name} {
    type ${type}
    flags interval
    auto-merge
    elements = { ${ranges.join(', ')} }
  }`;
}

/**
 * A table of rules by user id, for helpers that share the host's network: not to this host, by any
 * of its addresses at that moment, nor to its links; and for tenants' sake nowhere that their
 * requests may not lead. Packets of others are looked up in one set and let go.
 */
export function composeHelperTable(
  table: string,
  { deny = [] }: Pick<OutboundSettings, 'deny'>,
): string {
  const closed = [...closedIpv4Ranges, ...closedIpv6Ranges, ...deny.filter(isRange)];
  const ofFamily = (ranges: readonly string[], six: boolean) =>
    ranges.filter((range) => isSix(range) === six);
  const sets = FAMILIES.map(
    ({ six, suffix, type }) => `
  set names${suffix} {
    type ${type}
  }${rangeSet(`near${suffix}`, type, ofFamily(nearRanges, six))}${rangeSet(`closed${suffix}`, type, ofFamily(closed, six))}`,
  );
  const rules = (rule: (family: (typeof FAMILIES)[number]) => string) =>
    FAMILIES.map((family) => `\n    ${rule(family)}`).join('');
  return `
table inet ${table}
delete table inet ${table}
table inet ${table} {
  map helpers {
    type uid : verdict
  }${sets.join('')}
  chain near {${rules(({ word, suffix }) => `${word} daddr @names${suffix} th dport 53 accept`)}
    fib daddr type local reject${rules(({ word, suffix }) => `${word} daddr @near${suffix} reject`)}
  }
  chain world {
    jump near${rules(({ word, suffix }) => `${word} daddr @closed${suffix} reject`)}
  }
  chain outward {
    type filter hook output priority -10; policy accept;
    meta skuid vmap @helpers
  }
}
`;
}

/** The ranges without those that lie in another: nftables takes none twice. */
export function apart(ranges: readonly string[]): string[] {
  const parsed = ranges.map((range) => {
    const [address = '', bits] = range.split('/');
    const family = isIPv6(address) ? ('ipv6' as const) : ('ipv4' as const);
    return { range, address, family, bits: Number(bits ?? (family === 'ipv6' ? 128 : 32)) };
  });
  const taken = new BlockList();
  return parsed
    .sort((a, b) => a.bits - b.bits)
    .filter(({ address, family, bits }) => {
      if (taken.check(address, family)) return false;
      taken.addSubnet(address, bits, family);
      return true;
    })
    .map(({ range }) => range);
}

/** The commands that bind a user id before its process runs; `open` and `nameservers` are addresses. */
export function composeAdmission(
  table: string,
  uid: number,
  { scope, open }: HelperReach,
  nameservers: readonly string[],
): string {
  const ofFamily = (all: readonly string[], six: boolean) =>
    all.filter((each) => isSix(each) === six).join(', ');
  const names = FAMILIES.map(({ six, suffix }) => {
    const given = ofFamily(nameservers, six);
    return given && `add element inet ${table} names${suffix} { ${given} }\n`;
  });
  const accepts = FAMILIES.map(({ six, word }) => {
    const given = ofFamily(open, six);
    return given && `    ${word} daddr { ${given} } accept\n`;
  });
  return `${names.join('')}table inet ${table} {
  chain ${chainOf(uid)} {
${accepts.join('')}    goto ${scope}
  }
}
add element inet ${table} helpers { ${uid} : jump ${chainOf(uid)} }
`;
}

/** Undoes an admission, once no process of the user id is left. */
export function composeDismissal(table: string, uid: number): string {
  return `delete element inet ${table} helpers { ${uid} }
flush chain inet ${table} ${chainOf(uid)}
delete chain inet ${table} ${chainOf(uid)}
`;
}

const chainOf = (uid: number) => `helper${uid}`;
