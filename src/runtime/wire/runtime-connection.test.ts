import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { hostHas } from '../../../test/support/host.ts';
import { propertyRuns } from '../../../test/support/property-runs.ts';
import { until } from '../../../test/support/until.ts';
import { limits, VirtualClock, WorkBudget } from '../../base/mod.ts';
import { collectBody } from '../body.ts';
import type { RuntimeCall } from './runtime-call.ts';
import { RuntimeConnection } from './runtime-connection.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

const budgetOf = (units = Number.MAX_SAFE_INTEGER) =>
  new WorkBudget({ clock: new VirtualClock(), units, unitsPerSecond: 1000 });

/** Serves connections that are opened to `port`, by `onCall`. */
async function serving(t: TestContext, onCall: (call: RuntimeCall) => void, budget = budgetOf()) {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    new RuntimeConnection(socket, budget, onCall);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const open = () => {
    const socket = connect(port, '127.0.0.1').setNoDelay(true).setEncoding('latin1');
    socket.on('error', () => {});
    sockets.push(socket);
    return socket;
  };
  return { port, open };
}

const bodyOf = (call: RuntimeCall) => collectBody(call, 1e6, budgetOf());

/** Answers with what was read of the request. */
async function echo(call: RuntimeCall): Promise<void> {
  const body = await bodyOf(call);
  const text = body.kind === 'whole' ? body.body.toString('latin1') : body.kind;
  const { method, path } = call;
  const read = { method, path, header: call.header('x-h'), text, trailer: call.trailer('x-t') };
  call.answer(200, '', Buffer.from(JSON.stringify(read)));
}

/** Sends, and answers all that comes until `enough` of it is there or the connection ends. */
async function exchange(
  socket: Socket,
  pieces: readonly string[],
  enough: (text: string) => boolean,
) {
  let text = '';
  socket.on('data', (part) => {
    text += String(part);
  });
  for (const piece of pieces) {
    socket.write(piece, 'latin1');
    if (pieces.length > 1) await turn();
  }
  while (!enough(text) && !socket.closed) await turn();
  socket.removeAllListeners('data');
  return text;
}

const answered = (count: number) => (text: string) =>
  text.split('HTTP/1.1 200 ').length > count && /\}$/.test(text);

const post = (fields: string, body: string) =>
  `POST /p?q HTTP/1.1\r\nHost: x\r\n${fields}\r\n${body}`;

test('a request reads alike however it is framed and cut', async (t) => {
  const { open } = await serving(t, (call) => void echo(call));
  const socket = open();
  await once(socket, 'connect');
  const bytes = fc.string({
    maxLength: 40,
    unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)),
  });
  const chunk = fc.tuple(bytes, fc.constantFrom('', ';x', ' ; a="b"'));
  const header = fc.stringMatching(/^[!-~]{0,12}$/);
  const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(chunk),
      fc.boolean(),
      header,
      header,
      cuts,
      async (chunks, whole, h, trailer, at) => {
        const text = chunks.map(([part]) => part).join('');
        const framed = chunks
          .filter(([part]) => part.length > 0)
          .map(([part, extension]) => `${part.length.toString(16)}${extension}\r\n${part}\r\n`);
        const request = whole
          ? post(`X-H: ${h}\r\nContent-Length: ${text.length}\r\n`, text)
          : post(
              `X-H: ${h}\r\nTransfer-Encoding: chunked\r\n`,
              `${framed.join('')}0\r\nX-T: ${trailer}\r\n\r\n`,
            );
        const ends = [
          ...at.map((part) => Math.floor(part * request.length)).sort((a, b) => a - b),
          request.length,
        ];
        const pieces = ends.map((end, index) => request.slice(ends[index - 1] ?? 0, end));
        const answer = await exchange(
          socket,
          pieces.filter((piece) => piece !== ''),
          answered(1),
        );
        const json = Buffer.from(answer.slice(answer.indexOf('\r\n\r\n') + 4), 'latin1');
        const read = JSON.parse(json.toString()) as object;
        const tail = whole ? {} : { trailer };
        assert.deepEqual(read, { method: 'POST', path: '/p', header: h, text, ...tail });
      },
    ),
    { numRuns: propertyRuns(300) },
  );
});

test('what is no HTTP is refused, and its connection ends', async (t) => {
  const cut: string[] = [];
  const { open } = await serving(t, (call) => {
    void bodyOf(call).then(({ kind }) => cut.push(kind));
  });
  const chunked = 'Transfer-Encoding: chunked\r\n';
  for (const [request, status] of [
    ['nonsense\r\n\r\n', 400],
    [`GET / HTTP/1.1\r\nHost: x\r\nA: ${'x'.repeat(limits.runtime.headBytes)}`, 431],
    [post(chunked, 'x\r\n'), 400],
    [post(chunked, '-1\r\n'), 400],
    [post(chunked, '1\r\nxx\r\n'), 400],
    [post(chunked, `1${';'.repeat(2000)}`), 400],
    [post(chunked, `0\r\n${'a: b\r\n'.repeat(4000)}`), 400],
    [post(chunked, '0\r\nbad\r\n'), 400],
  ] as const) {
    const socket = open();
    const text = await exchange(socket, [request], () => false);
    assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} .*Connection: close\r\n\r\n$`, 's'));
  }
  assert.deepEqual(new Set(cut), new Set(['truncated']));
  assert.equal(cut.length, 6);
});

test('a request before the last one’s answer ends its connection, and is paid for', async (t) => {
  const budget = budgetOf(1000);
  const calls: RuntimeCall[] = [];
  const { open } = await serving(t, (call) => void calls.push(call), budget);
  const get = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
  const socket = open();
  socket.write(get);
  while (calls.length === 0) await turn();
  let isGone = false;
  calls[0]?.onGone(() => {
    isGone = true;
  });
  socket.write(get);
  await once(socket.resume(), 'close');
  while (!isGone) await turn();
  assert.equal(calls.length, 1);
  assert.equal(budget.isSpent, true);
});

test('line ends between requests are let pass, and a stream of them ends the connection', async (t) => {
  const budget = budgetOf();
  const waiting: RuntimeCall[] = [];
  const { open } = await serving(t, (call) => void waiting.push(call), budget);
  const request = 'GET /a HTTP/1.1\r\nHost: x\r\n\r\n';
  const polite = open();
  polite.write(`\r\n${request}\r\n`);
  await until('it is asked', () => waiting.length === 1);
  waiting[0]!.answer(200, '', Buffer.alloc(0));
  await once(polite, 'data');
  polite.write(`\r\n${request}`);
  await until('it is asked again', () => waiting.length === 2);
  assert.equal(polite.closed, false);

  for (const before of ['', request]) {
    const flooding = open().resume();
    const closed = once(flooding, 'close');
    flooding.write(before);
    flooding.write('\r\n'.repeat(10_000));
    await closed;
  }
});

test('who reads no answers is not served on', async (t) => {
  let served = 0;
  const { open } = await serving(t, (call) => {
    served++;
    call.answer(200, '', Buffer.alloc(8e6));
  });
  const socket = open().pause();
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  while (served === 0) await turn();
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket.resume(), 'close');
  assert.equal(served, 1);
});

test('an answer before the body’s end leaves the connection usable', async (t) => {
  const { open } = await serving(t, (call) => {
    if (call.path !== '/early') return void echo(call);
    void bodyOf(call);
    call.answer(200, '', Buffer.from('{}'));
  });
  const socket = open();
  const early = 'POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345';
  await exchange(socket, [early], answered(1));
  const rest = `67890\r\n${post('Content-Length: 1\r\n', 'x')}`;
  assert.match(await exchange(socket, [rest], answered(1)), /"text":"x"/);
});

test('a HEAD has no body, an old client’s connection ends, and so does one that asks for it', async (t) => {
  const { open } = await serving(t, (call) => call.answer(200, '', Buffer.from('{}')));
  const head = await exchange(
    open(),
    ['HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
    () => false,
  );
  assert.match(head, /Content-Length: 2\r\nConnection: close\r\n\r\n$/);
  const old = await exchange(open(), ['GET / HTTP/1.0\r\n\r\n'], () => false);
  assert.match(old, /\r\n\r\n\{\}$/);
});

test('curl sends what it likes: large bodies after 100-continue, chunks, several on one connection', async (t) => {
  if (!hostHas(t, 'tool:curl')) return;
  const { port } = await serving(t, (call) => void echo(call));
  const curl = async (...words: string[]) => {
    const all = ['-sS', '--noproxy', '*', ...words];
    return (await promisify(execFile)('curl', all, { maxBuffer: 1e8 })).stdout;
  };
  const url = `http://127.0.0.1:${port}/p`;
  const large = await curl('-H', 'Expect: 100-continue', '-d', 'x'.repeat(100_000), url);
  assert.equal((JSON.parse(large) as { text: string }).text.length, 100_000);
  const chunked = await curl('-H', 'Transfer-Encoding: chunked', '-d', 'abc', url, url, url);
  assert.equal(chunked.split('"text":"abc"').length, 4);
  assert.match(await curl('--http1.0', '-d', 'abc', url), /"text":"abc"/);
});
