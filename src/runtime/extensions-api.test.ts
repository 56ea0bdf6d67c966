import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { until } from '../../test/support/until.ts';
import { limits, SeededRandom, systemClock } from '../base/mod.ts';
import { RuntimeApi } from './runtime-api.ts';
import type { Invocation, PlatformEvent } from './types.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly json: Record<string, unknown>;
}

const identity = {
  accountId: '000000000000',
  functionName: 'f',
  functionVersion: '$LATEST',
  handler: 'app.handler',
};

const deadlineEpochMs = 1_763_700_000_123;
const eventOf = (requestId: string): Invocation => ({
  requestId,
  payload: Buffer.from('{}'),
  logTail: false,
  invokedFunctionArn: 'arn:f',
  traceId: 'Root=1',
});

async function bench(t: TestContext, externalExtensions: readonly string[] = []) {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const events: PlatformEvent[] = [];
  const sandbox = {
    identity,
    externalExtensions,
    connect: async () => assert.fail('nobody subscribed'),
    onPlatformEvent: (event: PlatformEvent) => events.push(event),
  };
  const api = new RuntimeApi({ clock: systemClock, random: new SeededRandom(1), sandbox });
  api.attach(server);
  const agents: Agent[] = [];
  t.after(() => {
    for (const agent of agents) agent.destroy();
    api.close();
    server.close();
  });
  /** One caller with a connection of its own, as a process has. */
  const caller = () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agents.push(agent);
    const call = (method: string, path: string, body?: object, headers: object = {}) =>
      new Promise<Answer>((resolve, reject) => {
        const options = { port, method, path, headers: { ...headers }, agent };
        const request = httpRequest(options, (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk) => chunks.push(chunk));
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString() || '{}';
            const { statusCode: status = 0, headers: got } = response;
            resolve({ status, headers: got, json: JSON.parse(text) as Answer['json'] });
          });
        });
        request.on('error', reject);
        request.end(body && JSON.stringify(body));
      });
    return { call, hangUp: () => agent.destroy() };
  };
  const extension = async (name: string, events: string[], more: object = {}) => {
    const { call, hangUp } = caller();
    const headers = { 'lambda-extension-name': name, ...more };
    const made = await call('POST', '/2020-01-01/extension/register', { events }, headers);
    const own = { 'lambda-extension-identifier': made.headers['lambda-extension-identifier'] };
    const next = () => call('GET', '/2020-01-01/extension/event/next', undefined, own);
    return { call, made, own, next, hangUp };
  };
  const runtime = caller();
  const next = () => runtime.call('GET', '/2018-06-01/runtime/invocation/next');
  const respond = (id: string) =>
    runtime.call('POST', `/2018-06-01/runtime/invocation/${id}/response`, {});
  return { api, caller, events, extension, next, respond };
}

const typeOf = ({ status, json }: Answer) => [status, json['errorType']];

describe('the Extensions API', () => {
  test('registers an extension and tells it whose sandbox it is in', async (t) => {
    const { extension } = await bench(t, ['one']);
    const { made } = await extension('one', ['INVOKE', 'SHUTDOWN']);
    assert.equal(made.status, 200);
    assert.match(String(made.headers['lambda-extension-identifier']), /^[0-9a-f-]{36}$/);
    const { accountId, ...plain } = identity;
    assert.deepEqual(made.json, plain);
    const feature = { 'lambda-extension-accept-feature': 'accountId' };
    assert.deepEqual((await extension('two', [], feature)).made.json, { ...plain, accountId });
  });

  test('refuses what it must', async (t) => {
    const { extension, caller, next } = await bench(t);
    const refused = 403;
    const { made: unnamed } = await extension('', []);
    assert.deepEqual(typeOf(unnamed), [refused, 'Extension.InvalidExtensionName']);
    const { made: strange } = await extension('x', ['DANCE']);
    assert.deepEqual(typeOf(strange), [refused, 'Extension.InvalidEventType']);
    const { made: internal, hangUp } = await extension('x', ['SHUTDOWN']);
    hangUp();
    assert.deepEqual(typeOf(internal), [refused, 'Extension.InvalidEventType']);
    const { call } = caller();
    const shapeless = await call('POST', '/2020-01-01/extension/register', [], {
      'lambda-extension-name': 'x',
    });
    assert.deepEqual(typeOf(shapeless), [400, 'InvalidRequestFormat']);
    const lost = await call('GET', '/2020-01-01/extension/event/next', undefined, {
      'lambda-extension-identifier': 'nobody',
    });
    assert.deepEqual(typeOf(lost), [refused, 'Extension.UnknownExtensionIdentifier']);
    for (let n = 0; n < limits.runtime.extensions; n++) {
      assert.equal((await extension(`e${n}`, [])).made.status, 200);
    }
    const { made: many } = await extension('one-more', []);
    assert.deepEqual(typeOf(many), [refused, 'Extension.TooManyExtensions']);
    void next().catch(() => {});
    await until('the registration is closed', async () => {
      const { made: late } = await extension('late', []);
      return isDeepStrictEqual(typeOf(late), [refused, 'Extension.RegistrationClosed']);
    });
  });

  test('init, and each invoke, is over when all have asked for the next', async (t) => {
    const { api, extension, next, respond } = await bench(t);
    const { next: extensionNext } = await extension('one', ['INVOKE']);
    let ready = false;
    void api.ready.then(() => {
      ready = true;
    });
    const asked = next();
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(ready, false, 'the extension has not asked yet');
    const told = extensionNext();
    assert.deepEqual(await api.ready, { kind: 'ready' });
    const outcome = api.invoke(eventOf('r-1'), deadlineEpochMs);
    await asked;
    const { headers, json } = await told;
    assert.ok(headers['lambda-extension-event-identifier']);
    assert.deepEqual(json, {
      eventType: 'INVOKE',
      deadlineMs: 1_763_700_000_123,
      requestId: 'r-1',
      invokedFunctionArn: 'arn:f',
      tracing: { type: 'X-Amzn-Trace-Id', value: 'Root=1' },
    });
    await respond('r-1');
    assert.equal((await outcome).kind, 'response', 'the caller does not wait for the extension');
    let settled = false;
    const settling = api.settled().then(() => {
      settled = true;
    });
    void next().catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(settled, false, 'but the sandbox does');
    void extensionNext().catch(() => {});
    await settling;
  });

  test('an extension that fails at init fails it, one that fails later ends the sandbox', async (t) => {
    const first = await bench(t);
    const early = await first.extension('one', []);
    const type = { 'lambda-extension-function-error-type': 'Extension.NoLicence', ...early.own };
    const body = { errorMessage: 'none', errorType: 'Extension.NoLicence' };
    const said = await early.call('POST', '/2020-01-01/extension/init/error', body, type);
    assert.equal(said.status, 202);
    const init = await first.api.ready;
    assert.ok(init.kind === 'error' && init.errorType === 'Extension.NoLicence');

    const second = await bench(t);
    const late = await second.extension('one', []);
    void late.next().catch(() => {});
    const other = second.caller();
    const asked = second.next();
    await second.api.ready;
    const outcome = second.api.invoke(eventOf('r-1'), deadlineEpochMs);
    await asked;
    const untyped = await other.call('POST', '/2020-01-01/extension/exit/error', body, late.own);
    assert.deepEqual(typeOf(untyped), [403, 'Extension.MissingHeader']);
    const typed = { 'lambda-extension-function-error-type': 'Extension.Crash', ...late.own };
    await other.call('POST', '/2020-01-01/extension/exit/error', body, typed);
    const ended = await outcome;
    assert.ok(ended.kind === 'fatal');
    assert.deepEqual(JSON.parse(ended.body.toString()), body);
    assert.equal((await second.api.invoke(eventOf('r-2'), deadlineEpochMs)).kind, 'fatal');
  });

  test('external extensions are told of the shutdown, busy ones when they ask', async (t) => {
    const { api, extension, events, next } = await bench(t, ['idle', 'busy', 'deaf']);
    let registered = false;
    void api.extensions.registered.then(() => {
      registered = true;
    });
    const idle = await extension('idle', ['SHUTDOWN']);
    const busy = await extension('busy', ['INVOKE', 'SHUTDOWN']);
    assert.equal(registered, false, 'one has not registered yet');
    const deaf = await extension('deaf', []);
    await api.extensions.registered;
    const told = [idle.next(), busy.next()];
    void deaf.next().catch(() => {});
    const asked = next();
    assert.deepEqual(await api.ready, { kind: 'ready' });
    assert.deepEqual(
      events.map(({ record }) => record),
      [
        { name: 'idle', state: 'Ready', events: ['SHUTDOWN'] },
        { name: 'busy', state: 'Ready', events: ['INVOKE', 'SHUTDOWN'] },
        { name: 'deaf', state: 'Ready', events: [] },
      ],
    );
    void api.invoke(eventOf('r-1'), deadlineEpochMs);
    await asked;
    assert.equal((await told[1])?.json['eventType'], 'INVOKE');
    assert.deepEqual(api.extensions.shutdown('timeout', 1234.5), ['idle', 'busy']);
    const event = { eventType: 'SHUTDOWN', shutdownReason: 'timeout', deadlineMs: 1235 };
    assert.deepEqual((await told[0])?.json, event);
    assert.deepEqual((await busy.next()).json, event);
  });

  test('an extension whose process ends breaks the invoke that runs, or the next', async (t) => {
    const early = await bench(t, ['one']);
    early.api.extensionEnded('exit status 1', 'Extension.Crash');
    const broken = { kind: 'broken', message: 'exit status 1', errorType: 'Extension.Crash' };
    assert.deepEqual(await early.api.ready, broken);

    const late = await bench(t);
    void late.next().catch(() => {});
    await late.api.ready;
    const outcome = late.api.invoke(eventOf('r-1'), deadlineEpochMs);
    late.api.extensionEnded('exit code 0', 'Extension.Crash');
    assert.equal((await outcome).kind, 'broken');
    assert.equal((await late.api.invoke(eventOf('r-2'), deadlineEpochMs)).kind, 'broken');
  });
});
