import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../../test/support/property-runs.ts';
import { parseCallHead } from './call-head.ts';

const path = '/2018-06-01/runtime/invocation/r-1/response';

test('a head as runtimes send it', () => {
  const head = parseCallHead(
    `POST ${path}?a=1 HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nX-Twice: a\r\nx-twice:b \t\r\n` +
      'Expect: 100-Continue\r\nTransfer-Encoding: Chunked\r\nConnection: Upgrade, Close',
  );
  assert.ok(typeof head === 'object');
  assert.deepEqual(
    { ...head, headers: Object.fromEntries(head.headers) },
    {
      ...{ method: 'POST', path, bodyBytes: undefined, waitsForContinue: true, closes: true },
      headers: {
        ...{ host: '127.0.0.1:9001', 'x-twice': 'a, b', expect: '100-Continue' },
        ...{ 'transfer-encoding': 'Chunked', connection: 'Upgrade, Close' },
      },
    },
  );
  const old = parseCallHead(`GET ${path} HTTP/1.0`);
  assert.ok(typeof old === 'object' && old.closes && old.bodyBytes === 0);
});

test('what is ambiguous or unknown is refused', () => {
  const first = `POST ${path} HTTP/1.1\r\nHost: x`;
  for (const [text, status] of [
    ['', 400],
    [`POST ${path} HTTP/1.1`, 400],
    [`POST  ${path} HTTP/1.1\r\nHost: x`, 400],
    [`post ${path} HTTP/1.1\r\nHost: x`, 400],
    ['GET http://x/ HTTP/1.1\r\nHost: x', 400],
    ['CONNECT x:1 HTTP/1.1\r\nHost: x', 400],
    [`POST ${path} HTTP/2.0\r\nHost: x`, 505],
    [`${first}\r\nHost: y`, 400],
    [`${first}\r\n folded: 1`, 400],
    [`${first}\r\nname : 1`, 400],
    [`${first}\r\nno colon`, 400],
    [`${first}\r\na: 1\nb: 2`, 400],
    [`${first}\r\na: \0`, 400],
    [`${first}\r\nContent-Length: 1\r\ncontent-length: 1`, 400],
    [`${first}\r\nContent-Length: +1`, 400],
    [`${first}\r\nContent-Length: 1, 1`, 400],
    [`${first}\r\nContent-Length: 1\r\nTransfer-Encoding: chunked`, 400],
    [`POST ${path} HTTP/1.0\r\nTransfer-Encoding: chunked`, 400],
    [`${first}\r\nTransfer-Encoding: gzip, chunked`, 501],
    [`${first}\r\nExpect: tea`, 417],
  ] as const) {
    assert.equal(parseCallHead(text), status, JSON.stringify(text));
  }
});

test('what it accepts Node’s parser accepts too, and reads alike', async (t) => {
  const seen: { method: string; path: string; length: string }[] = [];
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    const length = headers['content-length'] ?? headers['transfer-encoding'] ?? '0';
    seen.push({ method, path: url.split('?')[0] ?? '', length });
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const piece = fc.oneof(
    fc.constantFrom(path, '/', 'HTTP/1.1', '\r\n', 'a: b', ':', '\t', '\n', 'connection: close'),
    fc.constantFrom('Content-Length: 3', 'content-length: 0', 'Transfer-Encoding: chunked'),
    fc.string({ maxLength: 6 }),
  );
  const heads = fc
    .tuple(fc.constantFrom('GET', 'POST', 'PUT'), fc.array(piece, { maxLength: 4 }))
    .map(([method, pieces]) => [`${method} ${path}?x HTTP/1.1`, 'host: n', ...pieces].join('\r\n'));
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(heads, async (text) => {
      const head = parseCallHead(text);
      if (typeof head === 'number') return;
      accepted++;
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      const body = head.bodyBytes === undefined ? '0\r\n\r\n' : 'x'.repeat(head.bodyBytes);
      socket.write(`${text}\r\n\r\n${body}`, 'latin1');
      const [answer] = (await once(socket, 'data')) as [Buffer];
      socket.destroy();
      assert.match(answer.toString('latin1'), /^HTTP\/1\.1 200 /, JSON.stringify(text));
      const length = head.bodyBytes === undefined ? 'chunked' : String(head.bodyBytes);
      const read = seen.pop();
      assert.deepEqual(
        { ...read, length: read?.length.toLowerCase() },
        { method: head.method, path: head.path, length },
      );
    }),
    { numRuns: propertyRuns(1000) },
  );
  assert.ok(accepted > 10, `${accepted} heads were compared`);
});
