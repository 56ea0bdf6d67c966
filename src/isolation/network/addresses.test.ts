import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import { AddressBlock } from './addresses.ts';
import { hostNameservers } from './nameservers.ts';

test('a block gives out each address once, and reuses a returned one as late as possible', () => {
  const block = new AddressBlock(1);
  assert.deepEqual([block.subnet, block.gateway], ['100.64.4.0/22', '100.64.4.1']);
  const first = block.take();
  assert.deepEqual(first, {
    address: '100.64.4.2',
    netmask: '255.255.252.0',
    gateway: '100.64.4.1',
  });
  block.giveBack(first);
  const taken = new Set<string>();
  for (let n = 0; n < 1021; n++) taken.add(block.take().address);
  assert.equal(taken.size, 1021);
  assert.ok(!taken.has('100.64.4.1') && !taken.has('100.64.7.255'));
  assert.equal([...taken].indexOf(first.address), 1020);
  assert.throws(() => block.take(), { code: 'START_LIMIT_EXCEEDED' });
});

test('a block knows which routes lead to it', () => {
  const block = new AddressBlock(4096 + 1);
  for (const route of ['100.64.4.7', '100.64.6.0/24', '100.64.0.0/10', '0.0.0.0/0']) {
    assert.ok(block.overlaps(route), route);
  }
  for (const route of ['100.64.8.0/22', '100.64.0.0/22', '10.0.0.0/8', '192.0.2.1']) {
    assert.ok(!block.overlaps(route), route);
  }
});

test('only name servers that a sandbox can reach are used', (t) => {
  const directory = temporaryDirectory(t);
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const stub = file('stub', 'nameserver 127.0.0.53\noptions edns0\n');
  const real = file(
    'real',
    '# x\nnameserver 192.0.2.1\nnameserver 2001:db8::1\n nameserver 10.1.1.1\n',
  );
  assert.deepEqual(hostNameservers([stub, real]), ['192.0.2.1', '10.1.1.1']);
  assert.deepEqual(hostNameservers([stub, join(directory, 'none')]), []);
});
