import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type UrlEventFacts, urlEvent } from './event.ts';

const facts: UrlEventFacts = {
  url: { urlId: 'u', rawPath: '/', rawQuery: '' },
  method: 'GET',
  headers: {
    'x-amzn-tls-version': 'TLSv9',
    'x-forwarded-for': '10.0.0.1',
    'x-forwarded-proto': 'https',
    'x-amzn-trace-id': 'Root=spoofed',
  },
  body: Buffer.alloc(0),
  sourceIp: '203.0.113.7',
  tls: undefined,
  port: 9400,
  requestId: 'r',
  traceId: 'Root=1-2-3',
  nowMs: 1_763_700_000_000,
  caller: undefined,
};
const headersOf = (change: Partial<UrlEventFacts>) =>
  JSON.parse(urlEvent({ ...facts, ...change }).toString()).headers;

test('a client cannot say where it comes from, nor how its connection is secured', () => {
  const shared = {
    'x-amzn-trace-id': 'Root=1-2-3',
    'x-forwarded-for': '203.0.113.7',
    'x-forwarded-port': '9400',
  };
  assert.deepEqual(headersOf({}), { ...shared, 'x-forwarded-proto': 'http' });
  const tls = { version: 'TLSv1.3', cipherSuite: 'TLS_AES_128_GCM_SHA256' };
  assert.deepEqual(headersOf({ tls }), {
    ...shared,
    'x-forwarded-proto': 'https',
    'x-amzn-tls-version': 'TLSv1.3',
    'x-amzn-tls-cipher-suite': 'TLS_AES_128_GCM_SHA256',
  });
});
