import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../../test/support/property-runs.ts';
import { parseRequestHead } from './request-head.ts';

const path = `/v1/stripes/${'0a'.repeat(32)}/4+1/0`;

test('a head as workers and collectors send it', () => {
  const head = parseRequestHead(
    `PUT ${path} HTTP/1.1\r\nHost: n:1\r\nAuthorization:  SLUICE1 1 \t\r\nContent-Length: 12\r\n` +
      'connection: Close',
  );
  assert.ok(head);
  assert.deepEqual(
    { ...head, headers: Object.fromEntries(head.headers) },
    {
      ...{ method: 'PUT', path, bodyBytes: 12, closes: true },
      headers: {
        ...{ host: 'n:1', authorization: 'SLUICE1 1', 'content-length': '12' },
        connection: 'Close',
      },
    },
  );
});

test('ambiguous heads are refused', () => {
  const first = `GET ${path} HTTP/1.1`;
  for (const text of [
    '',
    `GET  ${path} HTTP/1.1`,
    `GET ${path} HTTP/1.0`,
    `get ${path} HTTP/1.1`,
    `GET http://n/ HTTP/1.1`,
    `${first}\r\n folded: 1`,
    `${first}\r\nname : 1`,
    `${first}\r\nno colon`,
    `${first}\r\na: 1\nb: 2`,
    `${first}\r\na: \0`,
    `${first}\r\ncontent-length: 1\r\nContent-Length: 1`,
    `${first}\r\ncontent-length: +1`,
    `${first}\r\ncontent-length: 0x1`,
    `${first}\r\ncontent-length: 9999999999`,
    `${first}\r\ntransfer-encoding: chunked`,
  ]) {
    assert.equal(parseRequestHead(text), undefined, JSON.stringify(text));
  }
});

test('what it accepts Node’s parser accepts too, and reads alike', async (t) => {
  const seen: { method: string; url: string; length: number }[] = [];
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    seen.push({ method, url, length: Number(headers['content-length'] ?? 0) });
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const piece = fc.oneof(
    fc.constantFrom('GET', 'PUT', ' ', path, '/', 'HTTP/1.1', '\r\n', 'a: b', ':', 'Host: n'),
    fc.constantFrom('content-length: 0', 'Content-Length: 3', 'connection: close', '\t', '\n'),
    fc.string({ maxLength: 6 }),
  );
  const heads = fc.oneof(
    fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
    fc
      .tuple(fc.constantFrom('GET', 'PUT', 'DELETE'), fc.array(piece, { maxLength: 4 }))
      .map(([method, pieces]) => [`${method} ${path} HTTP/1.1`, 'host: n', ...pieces].join('\r\n')),
  );
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(heads, async (text) => {
      const head = parseRequestHead(text);
      // Node asks for a Host header, which says nothing here.
      if (!head?.headers.has('host')) return;
      accepted++;
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(`${text}\r\n\r\n${'x'.repeat(head.bodyBytes)}`, 'latin1');
      const [answer] = (await once(socket, 'data')) as [Buffer];
      socket.destroy();
      assert.match(answer.toString('latin1'), /^HTTP\/1\.1 200 /, JSON.stringify(text));
      const { method, path: url, bodyBytes: length } = head;
      assert.deepEqual(seen.pop(), { method, url, length });
    }),
    { numRuns: propertyRuns(1000) },
  );
  assert.ok(accepted > 20, `${accepted} heads were compared`);
});
