import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { request } from 'undici';
import { isSluiceError } from '../base/mod.ts';
import { guardRefusal, OutboundGuard, type OutboundGuardOptions } from './outbound-guard.ts';

interface Given extends Partial<Pick<OutboundGuardOptions, 'allow' | 'deny' | 'ownAddresses'>> {
  readonly names?: Record<string, string[]>;
}

function guardOf(t: TestContext, { names = {}, allow = [], ...given }: Given = {}) {
  const guard = new OutboundGuard({
    ...given,
    allow,
    agent: {},
    resolve: (hostname, _options, answer) => {
      const addresses = (names[hostname] ?? []).map(
        (address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 }),
      );
      answer(null, addresses);
    },
  });
  t.after(() => guard.close());
  const refuses = (url: string) => {
    try {
      guard.agentFor(new URL(url));
      return false;
    } catch (error) {
      assert.ok(isSluiceError(error, 'ACCESS_DENIED'));
      return true;
    }
  };
  return { guard, refuses };
}

/** Whether the guard's connection to a server of this test is made. */
async function reaches(t: TestContext, guard: OutboundGuard, host: string, scheme = 'http') {
  const server = createServer((_, response) => response.end('here'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const url = new URL(`${scheme}://${host}:${port}/`);
  const dispatcher = guard.agentFor(url);
  const answer = await request(url, { dispatcher }).catch((error: Error) => error);
  if (answer instanceof Error) return answer;
  await answer.body.dump();
  return answer.statusCode;
}

test('no address of this host, its links, private and special networks is for tenants', (t) => {
  const { refuses } = guardOf(t);
  const closed = [
    ...['127.0.0.1', '127.9.9.9', '0.0.0.0', '10.1.2.3', '172.16.0.1', '192.168.1.1'],
    ...['169.254.169.254', '100.64.0.1', '224.0.0.1', '255.255.255.255', '2130706433', '0x7f.1'],
    ...['192.0.2.1', '198.51.100.1', '203.0.113.1', '198.18.0.1', '192.88.99.1', '168.63.129.16'],
    ...['[::1]', '[::]', '[fe80::1]', '[fd00::1]', '[::ffff:127.0.0.1]', '[::ffff:a00:1]'],
    ...['[64:ff9b::7f00:1]', '[2002:7f00:1::]', '[::127.0.0.1]', '[::ffff:0:127.0.0.1]'],
    ...[
      '[2001:db8::1]',
      '[2001:2::1]',
      '[2001::1]',
      '[3fff::1]',
      '[ff02::1]',
      '[::ffff:a83f:8110]',
    ],
  ];
  for (const host of closed) assert.equal(refuses(`https://${host}/`), true, host);
  for (const host of ['8.8.8.8', '172.32.0.1', '[2606:4700::1111]', '[::ffff:8.8.8.8]']) {
    assert.equal(refuses(`https://${host}/`), false, host);
  }
});

test("the host's own addresses are refused, public ones too, as they are at that moment", async (t) => {
  const own = ['8.8.4.4', '2606:4700::1'];
  const names = { 'me.example': ['8.8.4.4'], 'me6.example': ['::ffff:8.8.4.4'] };
  const { guard, refuses } = guardOf(t, { names, ownAddresses: () => own });
  for (const host of ['8.8.4.4', '[::ffff:8.8.4.4]', '[2606:4700:0::1]']) {
    assert.equal(refuses(`https://${host}/`), true, host);
  }
  for (const host of Object.keys(names)) {
    assert.ok(guardRefusal(await reaches(t, guard, host, 'https')), host);
  }
  assert.equal(refuses('https://9.9.9.9/'), false);
  own.push('9.9.9.9');
  assert.equal(refuses('https://9.9.9.9/'), true);
});

test('plain HTTP leads only to what the operator has opened', (t) => {
  const { refuses } = guardOf(t, { allow: ['plain.example', '10.1.0.0/16'] });
  assert.equal(refuses('http://far.example/'), true);
  assert.equal(refuses('http://8.8.8.8/'), true);
  assert.equal(refuses('https://far.example/'), false);
  assert.equal(refuses('http://plain.example/'), false);
  assert.equal(refuses('http://10.1.2.3/'), false);
});

test('the operator closes what leads back here and looks far', async (t) => {
  const names = { 'far.example': ['8.8.8.8'] };
  const { guard, refuses } = guardOf(t, { names, deny: ['8.8.8.0/24', '*.back.example'] });
  assert.equal(refuses('https://8.8.8.8/'), true);
  assert.equal(refuses('https://a.back.example./'), true);
  assert.ok(guardRefusal(await reaches(t, guard, 'far.example', 'https')));
});

test('a name is judged by the address that it is connected to', async (t) => {
  const names = {
    'inside.example': ['127.0.0.1'],
    'both.example': ['10.0.0.1', '127.0.0.1'],
    'named.example': ['127.0.0.1'],
    'a.named.example': ['127.0.0.1'],
  };
  const { guard } = guardOf(t, { names });
  for (const host of ['inside.example', 'both.example']) {
    assert.ok(guardRefusal(await reaches(t, guard, host, 'https')), host);
  }
  const named = guardOf(t, { allow: ['*.NAMED.example', '10.0.0.0/8'], names }).guard;
  assert.ok(guardRefusal(await reaches(t, named, 'named.example', 'https')));
});

test('the operator opens hosts by name, domain, address or range', async (t) => {
  const allow = ['localhost', '*.local', '127.0.0.1', '10.1.0.0/16'];
  const { guard, refuses } = guardOf(t, { allow });
  assert.equal(await reaches(t, guard, 'localhost'), 200);
  assert.equal(await reaches(t, guard, '127.0.0.1'), 200);
  assert.equal(refuses('https://10.1.255.1/'), false);
  assert.equal(refuses('https://10.2.0.1/'), true);
  assert.equal(refuses('https://127.0.0.2/'), true);
  assert.equal(
    refuses('https://evil.local.example/'),
    false,
    'a name is judged when it is resolved',
  );
});
