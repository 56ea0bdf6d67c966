import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { request } from 'undici';
import { isSluiceError } from '../base/mod.ts';
import { OutboundGuard } from './outbound-guard.ts';

const tenant = '111111111111';
const trusted = '000000000000';

function guardOf(t: TestContext, allow: string[] = [], names: Record<string, string[]> = {}) {
  const guard = new OutboundGuard({
    allow,
    trustedAccounts: [trusted],
    resolve: (hostname, _options, answer) => {
      const addresses = (names[hostname] ?? []).map(
        (address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 }),
      );
      answer(null, addresses);
    },
  });
  t.after(() => guard.close());
  const refuses = (url: string, accountId = tenant) => {
    try {
      guard.agentFor(new URL(url), accountId);
      return false;
    } catch (error) {
      assert.ok(isSluiceError(error, 'ACCESS_DENIED'));
      return true;
    }
  };
  return { guard, refuses };
}

/** Whether the guard's connection to a server of this test is made. */
async function reaches(t: TestContext, guard: OutboundGuard, host: string, accountId = tenant) {
  const server = createServer((_, response) => response.end('here'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const url = new URL(`http://${host}:${port}/`);
  const dispatcher = guard.agentFor(url, accountId);
  const answer = await request(url, { dispatcher }).catch((error: Error) => error);
  if (answer instanceof Error) return answer;
  await answer.body.dump();
  return answer.statusCode;
}

test('addresses of this host, its links and private networks are not for tenants', (t) => {
  const { refuses } = guardOf(t);
  const closed = [
    ...['127.0.0.1', '127.9.9.9', '0.0.0.0', '10.1.2.3', '172.16.0.1', '192.168.1.1'],
    ...['169.254.169.254', '100.64.0.1', '224.0.0.1', '255.255.255.255', '2130706433', '0x7f.1'],
    ...['[::1]', '[::]', '[fe80::1]', '[fd00::1]', '[::ffff:127.0.0.1]', '[::ffff:a00:1]'],
    ...['[64:ff9b::7f00:1]', '[2002:7f00:1::]', '[::127.0.0.1]'],
  ];
  for (const host of closed) {
    assert.equal(refuses(`http://${host}/`), true, host);
    assert.equal(refuses(`http://${host}/`, trusted), false, `${host}, trusted`);
  }
  for (const host of ['8.8.8.8', '172.32.0.1', '[2606:4700::1111]', '[::ffff:8.8.8.8]']) {
    assert.equal(refuses(`https://${host}/`), false, host);
  }
});

test('a name is judged by the address that it is connected to', async (t) => {
  const names = {
    'inside.example': ['127.0.0.1'],
    'both.example': ['10.0.0.1', '127.0.0.1'],
    'named.example': ['127.0.0.1'],
    'a.named.example': ['127.0.0.1'],
  };
  const { guard } = guardOf(t, [], names);
  for (const host of ['inside.example', 'both.example']) {
    const refusal = await reaches(t, guard, host);
    assert.ok(refusal instanceof Error, host);
    assert.ok(isSluiceError(refusal, 'ACCESS_DENIED') || isSluiceError(refusal.cause), host);
  }
  const named = guardOf(t, ['*.NAMED.example', '10.0.0.0/8'], names).guard;
  assert.ok((await reaches(t, named, 'named.example')) instanceof Error);
});

test('the operator opens hosts by name, domain, address or range', async (t) => {
  const { guard, refuses } = guardOf(t, ['localhost', '*.local', '127.0.0.1', '10.1.0.0/16']);
  assert.equal(await reaches(t, guard, 'localhost'), 200);
  assert.equal(await reaches(t, guard, '127.0.0.1'), 200);
  assert.equal(refuses('http://10.1.255.1/'), false);
  assert.equal(refuses('http://10.2.0.1/'), true);
  assert.equal(refuses('http://127.0.0.2/'), true);
  assert.equal(
    refuses('http://evil.local.example/'),
    false,
    'a name is judged when it is resolved',
  );
});
