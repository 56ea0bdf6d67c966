import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { hostHas } from '../../../test/support/host.ts';
import { closedIpv4Ranges } from '../../outbound/mod.ts';
import { composeRules } from './rules.ts';

const base = { table: 'slutest', bridge: 'slutest', subnet: '100.64.0.0/22', nameservers: [] };

test('no range that is closed to tenants is open to their sandboxes', () => {
  const rules = composeRules({ ...base, outbound: { allow: [], deny: ['8.8.8.8', 'name'] } });
  const [, set = ''] = /elements = \{ (.*) \}/.exec(rules) ?? [];
  assert.deepEqual(set.split(', '), [...closedIpv4Ranges, '8.8.8.8']);
  assert.doesNotMatch(rules, /daddr \{/, 'nothing is opened');
});

test('nftables takes the rules, with name servers and opened ranges and without', (t) => {
  if (!hostHas(t, 'root', 'tool:nft')) return;
  const opened = { allow: ['10.1.0.0/16', 'host.example', 'fd00::/8', '10.2.3.4'] };
  for (const outbound of [{ allow: [] }, opened]) {
    for (const nameservers of [[], ['10.0.0.2', '10.0.0.3']]) {
      const input = composeRules({ ...base, nameservers, outbound });
      execFileSync('nft', ['--check', '-f', '-'], { input });
    }
  }
});
