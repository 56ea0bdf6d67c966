import assert from 'node:assert/strict';
import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { limits, systemClock } from '../base/mod.ts';
import { runtimeApiAlone } from './runtime-api.fixture.ts';
import type { RuntimeApi } from './runtime-api.ts';
import type { Invocation, ResponseSink } from './types.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface Runtime {
  readonly api: RuntimeApi;
  readonly port: number;
  call(method: string, path: string, body?: Buffer | string, headers?: object): Promise<Answer>;
  next(): Promise<Answer>;
  respond(id: string, body: Buffer | string, headers?: object): Promise<Answer>;
}

async function runtime(t: TestContext): Promise<Runtime> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const api = runtimeApiAlone(systemClock);
  api.attach(server);
  const agent = new Agent({ keepAlive: true });
  t.after(() => {
    agent.destroy();
    api.close();
    server.close();
  });
  const call = (method: string, path: string, body?: Buffer | string, headers: object = {}) =>
    new Promise<Answer>((resolve, reject) => {
      const options = { port, method, path: `/2018-06-01${path}`, headers: { ...headers }, agent };
      const request = httpRequest(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => {
          const status = response.statusCode ?? 0;
          resolve({ status, headers: response.headers, body: Buffer.concat(chunks) });
        });
      });
      request.on('error', reject);
      request.end(body);
    });
  return {
    api,
    port,
    call,
    next: () => call('GET', '/runtime/invocation/next'),
    respond: (id, body, headers) =>
      call('POST', `/runtime/invocation/${id}/response`, body, headers),
  };
}

const deadlineEpochMs = 1_763_700_000_123.4;
const eventOf = (requestId: string, more: Partial<Invocation> = {}): Invocation => ({
  requestId,
  payload: Buffer.from('{"n":1}'),
  logTail: false,
  invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:f',
  ...more,
});

const typeOf = (answer: Answer) =>
  (JSON.parse(answer.body.toString()) as { errorType: string }).errorType;

describe('the Runtime API', () => {
  test('delivers an event with its headers and takes the response', async (t) => {
    const { api, next, respond } = await runtime(t);
    const traceId = 'Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1';
    const clientContext = '{\n"custom":{"ä":"ok"}}';
    const asked = next();
    assert.deepEqual(await api.ready, { kind: 'ready' });
    const outcome = api.invoke(eventOf('r-1', { traceId, clientContext }), deadlineEpochMs);
    const event = await asked;
    assert.equal(event.status, 200);
    assert.equal(event.body.toString(), '{"n":1}');
    assert.equal(event.headers['content-type'], 'application/json');
    assert.equal(event.headers['lambda-runtime-aws-request-id'], 'r-1');
    assert.equal(event.headers['lambda-runtime-deadline-ms'], '1763700000123');
    assert.equal(event.headers['lambda-runtime-trace-id'], traceId);
    assert.equal(
      event.headers['lambda-runtime-invoked-function-arn'],
      'arn:aws:lambda:us-east-1:000000000000:function:f',
    );
    const sent = Buffer.from(String(event.headers['lambda-runtime-client-context']), 'latin1');
    assert.deepEqual(JSON.parse(sent.toString('utf8')), { custom: { ä: 'ok' } });
    const taken = await respond('r-1', '{"ok":true}', { 'content-type': 'application/json' });
    assert.equal(taken.status, 202);
    assert.equal(taken.body.toString(), '{"status":"OK"}');
    assert.deepEqual(await outcome, {
      kind: 'response',
      body: Buffer.from('{"ok":true}'),
      contentType: 'application/json',
    });
  });

  test('an event given before the runtime asks waits for it', async (t) => {
    const { api, next, respond } = await runtime(t);
    const outcome = api.invoke(eventOf('r-1'), deadlineEpochMs);
    assert.equal((await next()).headers['lambda-runtime-aws-request-id'], 'r-1');
    await respond('r-1', '1');
    assert.equal((await outcome).kind, 'response');
  });

  test('is settled only when the runtime asks again', async (t) => {
    const { api, next, respond } = await runtime(t);
    const asked = next();
    await api.ready;
    await api.settled();
    const outcome = api.invoke(eventOf('r-1'), deadlineEpochMs);
    await asked;
    await respond('r-1', '1');
    await outcome;
    let settled = false;
    const settling = api.settled().then(() => {
      settled = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(settled, false);
    const again = next();
    await settling;
    api.close();
    await assert.rejects(again);
  });

  test('passes an error on as it was posted', async (t) => {
    const { api, call, next } = await runtime(t);
    const outcome = api.invoke(eventOf('r-1'), deadlineEpochMs);
    await next();
    const body = '{"errorMessage":"no","errorType":"Oops","stackTrace":[]}';
    const taken = await call('POST', '/runtime/invocation/r-1/error', body);
    assert.equal(taken.status, 202);
    assert.deepEqual(await outcome, { kind: 'error', body: Buffer.from(body), errorType: 'Oops' });
  });

  test('takes an error type from the header only in its proper form', async (t) => {
    for (const [header, errorType] of [
      ['Function.TooBad', 'Function.TooBad'],
      ['Runtime.Oops', 'Runtime.Oops'],
      ['rm -rf', 'Function.Unknown'],
    ] as const) {
      const { api, call, next } = await runtime(t);
      const outcome = api.invoke(eventOf('r-1'), deadlineEpochMs);
      await next();
      const headers = { 'lambda-runtime-function-error-type': header };
      await call('POST', '/runtime/invocation/r-1/error', '{}', headers);
      const ended = await outcome;
      assert.ok(ended.kind === 'error');
      assert.equal(ended.errorType, errorType);
    }
  });

  test('a failed init is reported once, and only before the first next', async (t) => {
    const { api, call } = await runtime(t);
    const body = '{"errorType":"Runtime.ImportModuleError","errorMessage":"x"}';
    assert.equal((await call('POST', '/runtime/init/error', body)).status, 202);
    const errorType = 'Runtime.ImportModuleError';
    assert.deepEqual(await api.ready, { kind: 'error', body: Buffer.from(body), errorType });
    const again = await call('POST', '/runtime/init/error', body);
    assert.deepEqual([again.status, typeOf(again)], [403, 'InvalidStateTransition']);
  });

  test('refuses what the rules forbid, and goes on', async (t) => {
    const { api, call, next, respond } = await runtime(t);
    const early = await respond('r-1', '1');
    assert.deepEqual([early.status, typeOf(early)], [403, 'InvalidStateTransition']);
    const outcome = api.invoke(eventOf('r-1'), deadlineEpochMs);
    await next();
    const second = await next();
    assert.deepEqual([second.status, typeOf(second)], [403, 'InvalidStateTransition']);
    assert.match(
      second.body.toString(),
      /State transition from RuntimeRunning to RuntimeReady failed for runtime\. Error: /,
    );
    const stale = await respond('r-0', '1');
    assert.deepEqual([stale.status, typeOf(stale)], [400, 'InvalidRequestID']);
    const unknown = await call('GET', '/runtime/nonsense');
    assert.equal(unknown.status, 404);
    assert.equal((await call('GET', '/ping')).body.toString(), 'pong');
    assert.equal((await call('GET', '/runtime/restore/next')).status, 403);
    assert.equal((await respond('r-1', '1')).status, 202);
    assert.equal((await outcome).kind, 'response');
    const late = await respond('r-1', '2');
    assert.deepEqual([late.status, typeOf(late)], [403, 'InvalidStateTransition']);
    const again = api.invoke(eventOf('r-2'), deadlineEpochMs);
    assert.equal((await next()).headers['lambda-runtime-aws-request-id'], 'r-2');
    assert.equal((await respond('r-2', '2')).status, 202);
    assert.equal((await again).kind, 'response');
  });

  test('refuses a second next while one is open, and the first gets the event', async (t) => {
    const { api, next, respond } = await runtime(t);
    const first = next();
    await api.ready;
    const second = await next();
    assert.deepEqual([second.status, typeOf(second)], [403, 'InvalidStateTransition']);
    const outcome = api.invoke(eventOf('r-1'), deadlineEpochMs);
    assert.equal((await first).headers['lambda-runtime-aws-request-id'], 'r-1');
    await respond('r-1', '1');
    assert.equal((await outcome).kind, 'response');
  });

  test('refuses a response mode that it does not know', async (t) => {
    const { api, next, respond } = await runtime(t);
    const outcome = api.invoke(eventOf('r-1'), deadlineEpochMs);
    await next();
    const headers = { 'lambda-runtime-function-response-mode': 'smoke-signals' };
    const answer = await respond('r-1', '1', headers);
    assert.deepEqual([answer.status, typeOf(answer)], [400, 'InvalidFunctionResponseMode']);
    assert.equal((await outcome).kind, 'error');
  });

  test('takes a response of the limit and refuses one byte more', async (t) => {
    const { api, next, respond } = await runtime(t);
    const limitBytes = limits.lambda.responsePayloadBytes;
    let outcome = api.invoke(eventOf('r-1'), deadlineEpochMs);
    await next();
    assert.equal((await respond('r-1', Buffer.alloc(limitBytes, 'x'))).status, 202);
    const ended = await outcome;
    assert.ok(ended.kind === 'response' && ended.body.length === limitBytes);
    outcome = api.invoke(eventOf('r-2'), deadlineEpochMs);
    await next();
    const refused = await respond('r-2', Buffer.alloc(limitBytes + 1, 'x'));
    assert.equal(refused.status, 413);
    assert.deepEqual(JSON.parse(refused.body.toString()), {
      errorMessage: 'Exceeded maximum allowed payload size (6291556 bytes).',
      errorType: 'RequestEntityTooLarge',
    });
    assert.deepEqual(await outcome, { kind: 'oversize', limitBytes });
  });

  test('a response broken off is an error of the runtime, and the sandbox can go on', async (t) => {
    const { api, port, next, respond } = await runtime(t);
    let outcome = api.invoke(eventOf('r-1'), deadlineEpochMs);
    await next();
    const socket = connect(port, '127.0.0.1');
    socket.write('POST /2018-06-01/runtime/invocation/r-1/response HTTP/1.1\r\nHost: x\r\n');
    await new Promise((resolve) => socket.write('Content-Length: 100\r\n\r\nhalf', resolve));
    socket.destroy();
    const ended = await outcome;
    assert.ok(ended.kind === 'error');
    assert.equal(ended.errorType, 'Runtime.TruncatedResponse');
    outcome = api.invoke(eventOf('r-2'), deadlineEpochMs);
    await next();
    await respond('r-2', '2');
    assert.equal((await outcome).kind, 'response');
  });

  test('a next whose connection went away gets no event', async (t) => {
    const { api, port, next, respond } = await runtime(t);
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n');
    await api.ready;
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const outcome = api.invoke(eventOf('r-1'), deadlineEpochMs);
    assert.equal((await next()).headers['lambda-runtime-aws-request-id'], 'r-1');
    await respond('r-1', '1');
    assert.equal((await outcome).kind, 'response');
  });

  test('close answers all that wait', async (t) => {
    const { api, next } = await runtime(t);
    const outcome = api.invoke(eventOf('r-1'), deadlineEpochMs);
    await next();
    api.close();
    assert.deepEqual(await outcome, { kind: 'closed' });
    assert.deepEqual(await api.invoke(eventOf('r-2'), deadlineEpochMs), { kind: 'closed' });
  });
});

describe('a streamed response', () => {
  const streaming = {
    'lambda-runtime-function-response-mode': 'streaming',
    'transfer-encoding': 'chunked',
    'content-type': 'application/vnd.awslambda.http-integration-response',
  };

  /** Sends chunks by hand, since trailers have to be announced and written last. */
  function sendChunks(port: number, id: string, chunks: string[], trailers: string): Promise<void> {
    return new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.write(`POST /2018-06-01/runtime/invocation/${id}/response HTTP/1.1\r\nHost: x\r\n`);
      socket.write('Lambda-Runtime-Function-Response-Mode: streaming\r\n');
      socket.write('Transfer-Encoding: chunked\r\n');
      socket.write(
        'Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n',
      );
      for (const chunk of chunks) socket.write(`${chunk.length.toString(16)}\r\n${chunk}\r\n`);
      socket.write(`0\r\n${trailers}\r\n`);
      socket.on('data', () => {
        socket.destroy();
        resolve();
      });
    });
  }

  test('goes to the sink as it comes', async (t) => {
    const { api, next, respond } = await runtime(t);
    const seen: string[] = [];
    let pending = 0;
    const sink: ResponseSink = {
      begin: (contentType) => void seen.push(contentType),
      write: async (chunk) => {
        assert.equal(++pending, 1, 'the next chunk waits for this one');
        await new Promise((resolve) => setImmediate(resolve));
        pending--;
        seen.push(`${chunk.length}`);
      },
    };
    const outcome = api.invoke(eventOf('r-1', { sink }), deadlineEpochMs);
    await next();
    await respond('r-1', Buffer.alloc(300_000, 'x'), streaming);
    const contentType = 'application/vnd.awslambda.http-integration-response';
    assert.deepEqual(await outcome, { kind: 'streamed', sizeBytes: 300_000, contentType });
    assert.equal(seen[0], contentType);
    const total = seen.slice(1).reduce((sum, size) => sum + Number(size), 0);
    assert.equal(total, 300_000);
  });

  test('is buffered for a caller who wants it whole', async (t) => {
    const { api, port, next } = await runtime(t);
    const outcome = api.invoke(eventOf('r-1'), deadlineEpochMs);
    await next();
    await sendChunks(port, 'r-1', ['one ', 'two'], '');
    const ended = await outcome;
    assert.ok(ended.kind === 'response');
    assert.equal(ended.body.toString(), 'one two');
  });

  test('that fails midway says so in its trailers', async (t) => {
    for (const sink of [undefined, { begin: () => {}, write: () => undefined }]) {
      const { api, port, next } = await runtime(t);
      const outcome = api.invoke(eventOf('r-1', { sink }), deadlineEpochMs);
      await next();
      const error = '{"errorType":"Boom","errorMessage":"midway"}';
      const trailers =
        'Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n' +
        `Lambda-Runtime-Function-Error-Body: ${Buffer.from(error).toString('base64')}\r\n`;
      await sendChunks(port, 'r-1', ['part'], trailers);
      const errorType = 'Runtime.StreamError';
      assert.deepEqual(await outcome, { kind: 'error', body: Buffer.from(error), errorType });
    }
  });
});
