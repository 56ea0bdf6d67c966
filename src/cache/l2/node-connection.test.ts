import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../../test/support/property-runs.ts';
import { isSluiceError } from '../../base/mod.ts';
import { NodeConnection, parseNodeAddress } from './node-connection.ts';

/** A server that answers each request with the next of `answers`, in pieces cut as told. */
async function answering(t: TestContext) {
  const script: { bytes: Buffer; cuts: readonly number[] }[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', () => void send(socket));
  });
  const send = async (socket: Socket) => {
    const { bytes, cuts } = script.shift()!;
    let from = 0;
    for (const cut of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
      socket.write(bytes.subarray(from, Math.min(cut, bytes.length)));
      from = Math.min(cut, bytes.length);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return { script, connect: () => new NodeConnection('127.0.0.1', port) };
}

const ask = (connection: NodeConnection, target?: Buffer) =>
  new Promise<number | undefined>((resolve) => {
    connection.start({ head: 'GET / HTTP/1.1\r\n\r\n', target, done: resolve });
  });

test('an answer is the same however the network cuts it, and the connection goes on', async (t) => {
  const { script, connect } = await answering(t);
  const answer = fc.record({
    body: fc.uint8Array({ maxLength: 300 }),
    status: fc.constantFrom(200, 201, 404, 503),
    cuts: fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 5 }),
    header: fc.constantFrom('', 'date: today\r\n', 'retry-after: 1\r\nx: y\r\n'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(answer, { minLength: 1, maxLength: 5 }), async (answers) => {
      const connection = connect();
      for (const { body, status, cuts, header } of answers) {
        const head = `HTTP/1.1 ${status} X\r\n${header}Content-Length: ${body.length}\r\n\r\n`;
        script.push({ bytes: Buffer.concat([Buffer.from(head), body]), cuts });
        const target = Buffer.alloc(body.length, 0xee);
        assert.equal(await ask(connection, target), status);
        const expected = status === 200 ? Buffer.from(body) : Buffer.alloc(body.length, 0xee);
        assert.ok(target.equals(expected));
        assert.ok(!connection.dead);
      }
      connection.destroy();
    }),
    { numRuns: propertyRuns(150) },
  );
});

test('whatever bytes come instead of an answer, the exchange ends and nothing is thrown', async (t) => {
  const { script, connect } = await answering(t);
  const junk = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom(
      Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfive!'),
      Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n'),
      Buffer.from('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'),
      Buffer.from('HTTP/1.1 100 Continue\r\ncontent-length: 0\r\n\r\n'),
      Buffer.from('HTTP/1.0 200 OK\r\ncontent-length: 4\r\n\r\nfour'),
    ),
  );
  await fc.assert(
    fc.asyncProperty(junk, async (bytes) => {
      const connection = connect();
      script.push({ bytes, cuts: [] });
      const ended = ask(connection, Buffer.alloc(4));
      // Bytes that could still become an answer are waited for; the caller's timer ends that.
      setTimeout(() => connection.destroy(), 20);
      assert.equal(await ended, undefined);
      assert.ok(connection.dead);
    }),
    { numRuns: propertyRuns(100) },
  );
});

test('an answer that says so closes the connection, and a late one is dropped', async (t) => {
  const { script, connect } = await answering(t);
  const connection = connect();
  script.push({
    ...{ bytes: Buffer.from('HTTP/1.1 404 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n') },
    cuts: [],
  });
  assert.equal(await ask(connection), 404);
  assert.ok(connection.dead);
});

test('addresses are HOST:PORT', () => {
  assert.deepEqual(parseNodeAddress('10.0.0.1:9500'), { host: '10.0.0.1', port: 9500 });
  assert.deepEqual(parseNodeAddress('[::1]:1'), { host: '::1', port: 1 });
  for (const text of ['', 'host', 'host:', 'host:0', 'host:65536', '::1:80', 'a b:1', 'a:1:2']) {
    assert.throws(
      () => parseNodeAddress(text),
      (error) => isSluiceError(error, 'CONFIG_INVALID'),
      text,
    );
  }
});
