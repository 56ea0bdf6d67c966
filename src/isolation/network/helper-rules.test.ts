import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { hostHas } from '../../../test/support/host.ts';
import { closedIpv4Ranges, closedIpv6Ranges } from '../../outbound/mod.ts';
import { apart, composeAdmission, composeDismissal, composeHelperTable } from './helper-rules.ts';

const setOf = (name: string, rules: string) =>
  new RegExp(`set ${name} \\{[^}]*elements = \\{ (.*) \\}`).exec(rules)?.[1]?.split(', ');

test('no range that is closed to tenants is open to their flatteners', () => {
  const rules = composeHelperTable('slutest', { deny: ['8.8.8.8', 'fd01::/16', 'name.example'] });
  assert.deepEqual(setOf('closed4', rules), [...closedIpv4Ranges, '8.8.8.8']);
  assert.deepEqual(setOf('closed6', rules), [...closedIpv6Ranges, 'fd01::/16']);
});

test('what is near is closed to flatteners of the operator too, and private networks are not', () => {
  const rules = composeHelperTable('slutest', {});
  for (const range of ['127.0.0.0/8', '169.254.0.0/16', '168.63.129.16/32']) {
    assert.ok(setOf('near4', rules)?.includes(range), range);
  }
  assert.ok(!setOf('near4', rules)?.includes('10.0.0.0/8'));
  assert.match(composeAdmission('slutest', 7, { scope: 'world', open: [] }, []), /goto world/);
  assert.match(composeAdmission('slutest', 7, { scope: 'near', open: [] }, []), /goto near/);
});

test('nftables takes the table, an admission and its end, of both families', (t) => {
  if (!hostHas(t, 'root', 'tool:nft')) return;
  const given = [
    '10.1.2.3',
    '10.1.9.9/16',
    '10.1.0.0/16',
    '10.2.3.4',
    'fd01::1',
    'fd00::/8',
    '::1',
  ];
  const open = apart([...given, ...given]);
  assert.deepEqual(open, ['fd00::/8', '10.1.9.9/16', '10.2.3.4', '::1']);
  for (const scope of ['world', 'near'] as const) {
    for (const nameservers of [[], ['127.0.0.53', '::1']]) {
      const admission = composeAdmission('slutest', 70_001, { scope, open }, nameservers);
      const dismissal = composeDismissal('slutest', 70_001);
      const input = composeHelperTable('slutest', {}) + admission;
      execFileSync('nft', ['--check', '-f', '-'], { input });
      execFileSync('nft', ['--check', '-f', '-'], { input: input + dismissal });
    }
  }
});
