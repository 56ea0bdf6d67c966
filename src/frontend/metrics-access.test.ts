import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { mayReadMetrics } from './metrics-access.ts';

const token = 'a-token-of-some-length';
const may = (remoteAddress: string, headers: Record<string, string> = {}, known?: string) =>
  mayReadMetrics({ headers, socket: { remoteAddress } as IncomingMessage['socket'] }, known);

test('metrics are for callers on this host and those with the token', () => {
  for (const near of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) {
    assert.equal(may(near), true);
    assert.equal(may(near, { 'x-forwarded-for': '198.51.100.7' }), false, 'through a proxy');
  }
  for (const far of ['10.0.0.7', '::ffff:10.0.0.7', '2001:db8::1', '']) {
    assert.equal(may(far), false);
    assert.equal(may(far, { authorization: `Bearer ${token}` }), false, 'no token is set');
    assert.equal(may(far, { authorization: `Bearer ${token}` }, token), true);
    assert.equal(may(far, { authorization: `Bearer ${token}x` }, token), false);
    assert.equal(may(far, { authorization: token }, token), false);
  }
});
