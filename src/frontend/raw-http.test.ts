import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { IMAGE, ROLE, startFrontend, stranger } from './testing/harness.fixture.ts';
import {
  call,
  exchange,
  formatRequest,
  parseResponse,
  type RawRequest,
  sign,
} from './testing/raw-http.fixture.ts';

const invocations = '/2015-03-31/functions/f/invocations';
const invoke: RawRequest = { method: 'POST', path: invocations, body: '{"a":1}' };
const MIB = 1024 * 1024;

async function withFunction(t: TestContext) {
  const harness = await startFrontend(t);
  const body = JSON.stringify({
    ...{ FunctionName: 'f', Role: ROLE, PackageType: 'Image', Code: { ImageUri: IMAGE } },
  });
  const path = '/2015-03-31/functions';
  assert.equal((await call(harness.port, { method: 'POST', path, body })).status, 201);
  for (let i = 0; i < 100; i++) {
    const got = await call(harness.port, { method: 'GET', path: `${path}/f/configuration` });
    if (JSON.parse(got.body).State === 'Active') return harness;
  }
  throw new Error('not active');
}

test('every answer names its request, and an error its type in header and body', async (t) => {
  const { port } = await withFunction(t);
  const ok = await call(port, invoke);
  assert.equal(ok.status, 200);
  assert.match(ok.headers['x-amzn-requestid'] ?? '', /^[0-9a-f-]{36}$/);
  assert.match(
    ok.headers['x-amzn-trace-id'] ?? '',
    /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0$/,
  );
  assert.equal(ok.headers['x-amz-executed-version'], '$LATEST');
  const missing = await call(port, { ...invoke, path: invocations.replace('/f/', '/g/') });
  assert.equal(missing.status, 404);
  assert.equal(missing.headers['x-amzn-errortype'], 'ResourceNotFoundException');
  const message = 'Function not found: arn:aws:lambda:us-east-1:000000000000:function:g';
  assert.deepEqual(JSON.parse(missing.body), { Type: 'User', Message: message, message });
});

test('a throttled call says when to come back', async (t) => {
  const { port, invoker } = await withFunction(t);
  const { SluiceError } = await import('../base/mod.ts');
  invoker.answer = () => {
    throw new SluiceError('START_LIMIT_EXCEEDED', 'full');
  };
  const answer = await call(port, invoke);
  assert.equal(answer.status, 429);
  assert.equal(answer.headers['retry-after'], '1');
  assert.equal(JSON.parse(answer.body).Reason, 'ConcurrentInvocationLimitExceeded');
});

test('without a signature, and with a wrong one: 403, and nothing runs', async (t) => {
  const { port, invoker } = await withFunction(t);
  const bare = parseResponse(await exchange(port, formatRequest(invoke, { host: 'localhost' })));
  assert.equal(bare.status, 403);
  assert.equal(bare.headers['x-amzn-errortype'], 'MissingAuthenticationTokenException');
  const wrong = { ...stranger, accessKeyId: 'AKIAOWNER' };
  const forged = await call(port, invoke, { credential: wrong });
  assert.equal(forged.status, 403);
  assert.equal(forged.headers['x-amzn-errortype'], 'InvalidSignatureException');
  const old = await call(port, invoke, { date: new Date(Date.now() - 600_000) });
  assert.match(JSON.parse(old.body).message, /^Signature expired/);
  const headers = await sign(invoke);
  const tampered = formatRequest({ ...invoke, body: '{"a":2}' }, headers);
  const refused = parseResponse(await exchange(port, tampered));
  assert.equal(refused.status, 403);
  assert.equal(invoker.requests.length, 0);
});

test('a trailing slash, percent-encoding and an encoded slash in names', async (t) => {
  const { port } = await withFunction(t);
  const get = (path: string) => call(port, { method: 'GET', path });
  assert.equal((await get('/2015-03-31/functions/')).status, 200);
  const arn = encodeURIComponent('arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST');
  assert.equal((await get(`/2015-03-31/functions/${arn}`)).status, 200);
  const slash = await get('/2015-03-31/functions/a%2Fb');
  assert.equal(slash.status, 400);
  assert.equal(slash.headers['x-amzn-errortype'], 'ValidationException');
  const unknown = await get('/2015-03-31/nothing/here');
  assert.equal(unknown.status, 404);
  assert.equal(unknown.headers['x-amzn-errortype'], 'UnknownOperationException');
  assert.equal((await get('/2015-03-31/functions/%zz')).status, 404);
});

test('malformed JSON, wrong types and a request id that is none', async (t) => {
  const { port } = await withFunction(t);
  const post = (body: string) =>
    call(port, { method: 'POST', path: '/2015-03-31/functions', body });
  const broken = await post('{');
  assert.equal(broken.headers['x-amzn-errortype'], 'InvalidRequestContentException');
  const typed = await post('{"FunctionName":5}');
  assert.equal(typed.headers['x-amzn-errortype'], 'SerializationException');
  assert.equal(JSON.parse(typed.body).message, 'NUMBER_VALUE can not be converted to String');
  const list = await post('[]');
  assert.equal(list.headers['x-amzn-errortype'], 'SerializationException');
  const id = await call(port, { ...invoke, headers: { 'x-amzn-requestid': 'mine' } });
  assert.equal(id.headers['x-amzn-errortype'], 'InvalidRequestContentException');
  const utf8 = await call(port, { ...invoke, headers: { 'x-amz-log-type': 'Head' } });
  assert.equal(utf8.headers['x-amzn-errortype'], 'ValidationException');
});

test('a body that announces too much is refused before it is sent', async (t) => {
  const { port } = await withFunction(t);
  const headers = await sign(invoke);
  const head = formatRequest(invoke, headers).replace(
    /content-length: \d+/,
    'content-length: 7000000',
  );
  const text = head.slice(0, head.indexOf('\r\n\r\n') + 4);
  const received = await exchange(port, text, (got) => got.endsWith('}'));
  const answer = parseResponse(received);
  assert.equal(answer.status, 413);
  assert.equal(answer.headers['connection'], 'close');
  assert.equal(answer.headers['x-amzn-errortype'], 'RequestTooLargeException');
});

test('a body without end is refused at the limit, and the sender still gets the answer', async (t) => {
  const { port } = await withFunction(t);
  const headers = await sign({ ...invoke, body: '' });
  const lines = Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const piece = Buffer.alloc(MIB, '1');
  const chunk = Buffer.concat([Buffer.from(`${MIB.toString(16)}\r\n`), piece, Buffer.from('\r\n')]);
  let received = '';
  let sent = 0;
  await new Promise<void>((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const pump = () => {
      while (!socket.destroyed && sent < 200 * MIB && received === '') {
        sent += MIB;
        if (!socket.write(chunk)) return void socket.once('drain', pump);
      }
    };
    socket.on('data', (data) => {
      received += data.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.write(`POST ${invocations} HTTP/1.1\r\n${lines}transfer-encoding: chunked\r\n\r\n`);
    pump();
  });
  assert.equal(parseResponse(received).status, 413);
  assert.ok(sent < 64 * MIB, `${sent} bytes were taken`);
});

test('non-HTTP gets 400, an endless head 431, and the server goes on', async (t) => {
  const { port } = await withFunction(t);
  const garbage = parseResponse(await exchange(port, 'nonsense\r\n\r\n'));
  assert.equal(garbage.status, 400);
  const long = `GET / HTTP/1.1\r\nhost: x\r\nx-a: ${'a'.repeat(40_000)}\r\n\r\n`;
  assert.equal(parseResponse(await exchange(port, long)).status, 431);
  const health = parseResponse(
    await exchange(port, 'GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'),
  );
  assert.equal(health.status, 200);
  assert.equal(health.body, '{"status":"ok"}');
});

test('a client that goes away while sending leaves nothing behind', async (t) => {
  const { port, invoker } = await withFunction(t);
  const headers = await sign(invoke);
  const whole = formatRequest(invoke, headers);
  await new Promise<void>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(whole.slice(0, -3), () => socket.destroy());
    });
    socket.on('close', () => resolve());
  });
  assert.equal((await call(port, invoke)).status, 200);
  assert.equal(invoker.requests.length, 1);
});

test('two Host headers are refused, whatever they name', async (t) => {
  const { port, invoker } = await withFunction(t);
  const headers = await sign(invoke);
  const plain = formatRequest(invoke, headers);
  for (const second of ['localhost', 'elsewhere']) {
    const text = plain.replace('\r\n', `\r\nHost: ${second}\r\n`);
    assert.equal(parseResponse(await exchange(port, text)).status, 400);
  }
  assert.equal(invoker.requests.length, 0);
  assert.equal(parseResponse(await exchange(port, plain)).status, 200);
});

test('a plus in a query is read as it is signed: %2B in its place is another request', async (t) => {
  const { port } = await startFrontend(t);
  const path = '/2015-03-31/functions?Marker=a%2Bb';
  const request: RawRequest = { method: 'GET', path };
  const headers = await sign(request);
  const status = async (asked: string) =>
    parseResponse(await exchange(port, formatRequest({ ...request, path: asked }, headers))).status;
  assert.notEqual(await status(path), 403, 'the signature is right');
  assert.equal(await status(path.replace('%2B', '+')), 403);
});
