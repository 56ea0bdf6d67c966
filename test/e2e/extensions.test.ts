import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { TelemetryEvent } from '../../src/runtime/mod.ts';
import { hostHas } from '../support/host.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { until } from '../support/until.ts';
import { makeCompute, makeNodeDisk, templateOf, WORKER_NEEDS } from './worker-support.ts';

const handler = `
import { readFileSync } from 'node:fs';
const deeds = {
  echo: (event) => event,
  print: () => { console.log('from the function'); return 1; },
  read: () => readFileSync('/tmp/seen', 'utf8'),
  hang: () => new Promise(() => {}),
};
setInterval(() => {}, 1000);
process.on('SIGTERM', () => { console.log('runtime told'); process.exit(0); });
export const handler = (event) => deeds[event.do](event);
`;

/** An external extension that prints each event that it gets, and all telemetry into a file. */
const extension = `#!/usr/bin/node
const { createServer } = require('node:http');
const { appendFileSync } = require('node:fs');
const { basename } = require('node:path');
const api = 'http://' + process.env.AWS_LAMBDA_RUNTIME_API;
const post = async (path, body, headers) => fetch(api + path, { method: 'POST', headers, body });
(async () => {
  const made = await post('/2020-01-01/extension/register', '{"events":["INVOKE","SHUTDOWN"]}', {
    'Lambda-Extension-Name': basename(__filename),
  });
  const own = { 'Lambda-Extension-Identifier': made.headers.get('lambda-extension-identifier') };
  createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    for (const event of JSON.parse(body)) appendFileSync('/tmp/seen', JSON.stringify(event) + '\\n');
    response.end('OK');
  }).listen(4243, '127.0.0.1');
  const said = await fetch(api + '/2022-07-01/telemetry', {
    method: 'PUT',
    headers: own,
    body: JSON.stringify({
      schemaVersion: '2022-12-13',
      types: ['platform', 'function', 'extension'],
      buffering: { maxItems: 1000, maxBytes: 262144, timeoutMs: 25 },
      destination: { protocol: 'HTTP', URI: 'http://sandbox.localdomain:4243/here' },
    }),
  });
  console.log('subscribed', said.status, await said.text(), process.env._HANDLER);
  for (;;) {
    const next = await fetch(api + '/2020-01-01/extension/event/next', { headers: own });
    const event = await next.json();
    console.log('event', event.eventType, event.shutdownReason ?? event.requestId);
    if (event.eventType === 'INVOKE' && event.requestId.startsWith('dead')) process.exit(7);
    if (event.eventType === 'SHUTDOWN') process.exit(0);
  }
})();
`;

function setUp(t: TestContext, extensions: Readonly<Record<string, string>>) {
  if (!hostHas(t, ...WORKER_NEEDS)) return undefined;
  return makeCompute(t, makeNodeDisk(temporaryDirectory(t, 'extensions'), handler, extensions));
}

test('an extension has events, telemetry and an end of its own', async (t) => {
  const { invoke, lines, assignment } = (await setUp(t, { watcher: extension })) ?? {};
  if (!invoke || !lines || !assignment) return;
  const texts = () => lines.map(({ text }) => text);
  /** Waits until the sandbox is free again, so that the next invoke gets the same. */
  const ask = async (deed: string, requestId: string) => {
    const { payload } = await invoke({ do: deed }, { requestId });
    const report = `REPORT RequestId: ${requestId}\t`;
    while (!texts().some((text) => text.startsWith(report))) await pause(10);
    return payload.toString();
  };
  assert.equal(await ask('print', 'one'), '1');
  let seen: TelemetryEvent[] = [];
  let reads = 0;
  await until('a report', async () => {
    const items = JSON.parse(await ask('read', `read-${reads++}`))
      .trim()
      .split('\n');
    seen = items.map((item: string) => JSON.parse(item) as TelemetryEvent);
    return seen.some(({ type }) => type === 'platform.report');
  });
  const types = seen.map(({ type }) => type);
  const order = [
    'initStart',
    'telemetrySubscription',
    'extension',
    'initRuntimeDone',
    'initReport',
  ];
  const later = ['start', 'runtimeDone', 'report'];
  const found = [...order, ...later].map((name) => types.indexOf(`platform.${name}`));
  assert.deepEqual(
    found,
    [...found].sort((a, b) => a - b),
  );
  assert.ok(found[0] === 0, `${types}`);
  const report = seen.find(({ type }) => type === 'platform.report')?.record as {
    requestId: string;
    status: string;
    metrics: Record<string, number>;
  };
  assert.deepEqual([report.requestId, report.status], ['one', 'success']);
  assert.ok((report.metrics['initDurationMs'] ?? 0) > 0);
  const recordOf = (type: string) => seen.find((event) => event.type === type)?.record;
  assert.equal(recordOf('function'), 'from the function');
  assert.equal(recordOf('extension'), 'subscribed 200 "OK" undefined');
  assert.ok(texts().some((text) => text.startsWith('INIT_START Runtime Version: image\t')));
  const state = 'EXTENSION\tName: watcher\tState: Ready\tEvents: [INVOKE, SHUTDOWN]';
  assert.ok(texts().includes(state));
  const asked =
    'TELEMETRY\tName: watcher\tState: Subscribed\tTypes: [platform, function, extension]';
  assert.ok(texts().includes(asked));
  assert.ok(texts().includes('event INVOKE one'));
  await assignment.close();
  const last = texts().filter((text) => /^(runtime told|event SHUTDOWN)/.test(text));
  assert.deepEqual(last, ['runtime told', 'event SHUTDOWN spindown']);
});

test('a timeout is told as such, and an extension that ends fails the invoke', async (t) => {
  const { invoke, lines } = (await setUp(t, { watcher: extension })) ?? {};
  if (!invoke || !lines) return;
  const template = templateOf({ timeoutMs: 2000 });
  const hung = await invoke({ do: 'hang' }, { template });
  assert.match(hung.payload.toString(), /Sandbox.Timedout/);
  const told = () => lines.some(({ text }) => text === 'event SHUTDOWN timeout');
  await until('the extension is told', told);
  const dead = await invoke({ do: 'hang' }, { template, requestId: 'dead-1' });
  const broken = {
    errorType: 'Extension.Crash',
    errorMessage: 'RequestId: dead-1 Error: exit status 7',
  };
  assert.deepEqual(JSON.parse(dead.payload.toString()), broken);
  assert.equal((await invoke({ do: 'echo' }, { template })).functionError, undefined);
});

test('an extension that cannot run, or ends before it registers, fails init', async (t) => {
  const { invoke } = (await setUp(t, { bad: 'no program\n' })) ?? {};
  if (!invoke) return;
  const body = JSON.parse((await invoke({ do: 'echo' }, { requestId: 'r' })).payload.toString());
  const errorMessage = 'RequestId: r Error: ENOEXEC';
  assert.deepEqual(body, { errorType: 'Extension.LaunchError', errorMessage });
  const leaves = '#!/usr/bin/node\nprocess.exit(0);\n';
  const other = await setUp(t, { leaves });
  const left = await other?.invoke({ do: 'echo' }, { requestId: 'r' });
  assert.deepEqual(JSON.parse(left?.payload.toString() ?? ''), {
    errorType: 'Extension.Crash',
    errorMessage: 'RequestId: r Error: exit code 0',
  });
});
