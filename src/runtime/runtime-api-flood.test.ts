import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { limits, VirtualClock } from '../base/mod.ts';
import { runtimeApiAlone } from './runtime-api.fixture.ts';

const { workUnits, workUnitsPerSecond, requestUnits, connectionUnits, pipelinedUnits } =
  limits.runtime;
const ping = 'GET /2018-06-01/ping HTTP/1.1\r\nHost: x\r\n\r\n';
const next = 'GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n';

async function flooded(t: TestContext) {
  const clock = new VirtualClock();
  const api = runtimeApiAlone(clock);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  api.attach(server);
  const { port } = server.address() as AddressInfo;
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    api.close();
    server.close();
  });
  const open = () => {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    sockets.push(socket);
    return socket;
  };
  return { clock, api, open };
}

const answers = new WeakMap<Socket, number>();
const moment = () => new Promise((resolve) => setTimeout(resolve, 100));

/** Sends, and answers how many answers the connection has had until a moment later. */
async function answersTo(socket: Socket, text: string): Promise<number> {
  if (!answers.has(socket)) {
    answers.set(socket, 0);
    socket.on('data', (part) => {
      const more = part.toString('latin1').split('HTTP/1.1 ').length - 1;
      answers.set(socket, (answers.get(socket) ?? 0) + more);
    });
  }
  if (text !== '') socket.write(text);
  await moment();
  return answers.get(socket) ?? 0;
}

test('a client that pipelines requests is disconnected, and pays for what was read', async (t) => {
  const { clock, open } = await flooded(t);
  const first = open();
  const count = await answersTo(first, ping.repeat(1000));
  assert.ok(count <= 1, `${count} of 1000 pipelined requests were answered`);
  if (!first.closed) await once(first, 'close');
  const second = open();
  assert.equal(await answersTo(second, ping), 0);
  await clock.advance((1000 * pipelinedUnits) / workUnitsPerSecond);
  assert.equal(await answersTo(second, ''), 1);
});

test('requests pipelined on further connections are not read until the first is paid for', async (t) => {
  const { clock, open } = await flooded(t);
  const sockets: Socket[] = [];
  for (let count = 0; count < 3; count += 1) {
    const socket = open();
    sockets.push(socket);
    await answersTo(socket, ping.repeat(1000));
    await moment();
  }
  const closed = () => sockets.filter((socket) => socket.closed || socket.destroyed).length;
  assert.equal(closed(), 1);
  await clock.advance((1000 * pipelinedUnits) / workUnitsPerSecond);
  await moment();
  assert.ok(closed() > 1);
});

test('sequential requests are answered as far as the budget goes, and further ones as it refills', async (t) => {
  const { clock, open } = await flooded(t);
  const socket = open();
  let count = 0;
  const ask = () => {
    count += 1;
    socket.write(ping);
  };
  socket.on('data', ask);
  socket.write(ping);
  const burst = Math.ceil((workUnits - connectionUnits) / requestUnits);
  while (count < burst) await once(socket, 'data');
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(count, burst);
  await clock.advance(100);
  const more = workUnitsPerSecond / requestUnits / 10;
  while (count < burst + more - 1) await once(socket, 'data');
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(count <= burst + more + 1, `${count}`);
});

test('unknown requests cost as much, read or not', async (t) => {
  const { open } = await flooded(t);
  const socket = open();
  let count = 0;
  socket.on('data', () => {
    count += 1;
    socket.write('GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n');
  });
  socket.write(ping);
  const burst = Math.ceil((workUnits - connectionUnits) / requestUnits);
  while (count < burst) await once(socket, 'data');
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(count, burst);
});

test('a body in parts of one byte waits like others', async (t) => {
  const { clock, open } = await flooded(t);
  const socket = open();
  const path = '/2018-06-01/runtime/init/error';
  const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const parts = workUnits * 4;
  assert.equal(await answersTo(socket, `${head}${'1\r\nx\r\n'.repeat(parts)}0\r\n\r\n`), 0);
  let waitedMs = 0;
  for (; (await answersTo(socket, '')) === 0; waitedMs += 100) await clock.advance(100);
  assert.ok(waitedMs >= (1000 * (parts - workUnits)) / workUnitsPerSecond - 100, `${waitedMs} ms`);
});

test('asking for events and answering them is free, however many there are', async (t) => {
  const { api, open } = await flooded(t);
  const socket = open();
  const invokes = Math.ceil(workUnits / requestUnits) * 2;
  for (let index = 0; index < invokes; index += 1) {
    const requestId = `r-${index}`;
    const event = { requestId, payload: Buffer.from('{}'), invokedFunctionArn: 'arn' };
    const outcome = api.invoke({ ...event, logTail: false }, 1);
    socket.write(next);
    await once(socket, 'data');
    const path = `/2018-06-01/runtime/invocation/${requestId}/response`;
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1`);
    await once(socket, 'data');
    assert.equal((await outcome).kind, 'response');
  }
});
