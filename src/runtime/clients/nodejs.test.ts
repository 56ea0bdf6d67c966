import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import type { RuntimeOutcome } from '../types.ts';
import { REQUEST_ID, startClient } from './testing/client-process.fixture.ts';

/** Handlers of one file, each with the event `{}`, and the result or the error of each. */
const answers: readonly (readonly [name: string, source: string, expected: unknown])[] = [
  ['async', 'async () => ({ a: "é" })', { a: 'é' }],
  ['nothing', 'async () => {}', null],
  ['promise', '() => Promise.resolve([1])', [1]],
  ['callback', '(event, context, done) => done(null, 1)', 1],
  [
    'waiting',
    '(e, context, done) => { setTimeout(() => { global.late = true; }, 50); done(null, 2); }',
    2,
  ],
  ['waited', 'async () => global.late', true],
  [
    'unwaiting',
    `(e, context, done) => {
      context.callbackWaitsForEmptyEventLoop = false;
      setInterval(() => {}, 1000).unref();
      setTimeout(() => {}, 100_000);
      done(null, 3);
    }`,
    3,
  ],
  ['succeed', '(event, context) => { context.succeed({ old: true }); }', { old: true }],
  ['nested.inner', '', 'found'],
  [
    'context',
    `async (event, context) => [
      context.awsRequestId, context.functionName, context.memoryLimitInMB,
      context.getRemainingTimeInMillis() > 1000, context.clientContext.custom.k,
      process.env._X_AMZN_TRACE_ID.slice(0, 6),
    ]`,
    [REQUEST_ID, 'f', '128', true, 'ü', 'Root=1'],
  ],
];

const failures: readonly (readonly [name: string, source: string, type: string, text: string])[] = [
  ['throws', 'async () => { throw new RangeError("out"); }', 'RangeError', 'out'],
  ['rejects', '() => Promise.reject(new TypeError("no"))', 'TypeError', 'no'],
  ['throwsNow', '() => { throw new Error("now"); }', 'Error', 'now'],
  ['throwsText', 'async () => { throw "text"; }', 'string', 'text'],
  ['callbackError', '(e, c, done) => done(new Error("called"))', 'Error', 'called'],
  ['circular', 'async () => { const a = {}; a.a = a; return a; }', 'Error', 'Unable to stringify'],
];

const sourceOf = (cases: readonly (readonly [string, string, ...unknown[]])[]) =>
  cases
    .filter(([name]) => !name.includes('.'))
    .map(([name, source]) => `exports.${name} = ${source};\n`)
    .join('');

/** One process runs all of them: its handler picks by the event. */
async function startAll(t: TestContext) {
  const inner = 'exports.nested = { inner: async () => "found" };\n';
  const choose = `exports.handler = function (event, context, done) {
    const chosen = event.name.split('.').reduce((at, name) => at[name], exports);
    return chosen.length > 2 ? chosen(event, context, done) : chosen(event, context);
  };\n`;
  const index = sourceOf(answers) + sourceOf(failures) + inner + choose;
  return startClient(t, {
    family: 'nodejs',
    handler: 'index.handler',
    files: { 'index.js': index },
  });
}

function bodyOf(outcome: RuntimeOutcome, kind: 'response' | 'error') {
  assert.ok(outcome.kind === kind, `${outcome.kind}: ${JSON.stringify(outcome)}`);
  return JSON.parse(outcome.body.toString());
}

test('handlers of every kind answer: async, promise, callback, plain, by context', async (t) => {
  const client = await startAll(t);
  const clientContext = '{"custom":{"k":"ü"}}';
  for (const [name, , expected] of answers) {
    if (name === 'unwaiting') continue;
    const body = bodyOf(await client.invoke({ name }, { clientContext }), 'response');
    assert.deepEqual(body, expected, name);
  }
  assert.equal(bodyOf(await client.invoke({ name: 'unwaiting' }), 'response'), 3);
});

test('handlers that fail are told apart by type and message, and the next invoke runs', async (t) => {
  const client = await startAll(t);
  for (const [name, , type, text] of failures) {
    const body = bodyOf(await client.invoke({ name }), 'error');
    assert.equal(body.errorType, type, name);
    assert.ok(body.errorMessage.includes(text), `${name}: ${body.errorMessage}`);
    assert.ok(Array.isArray(body.trace));
    if (name === 'throws') assert.match(body.trace[1], /at exports\.throws.*index\.js:\d+:\d+/);
  }
  assert.deepEqual(bodyOf(await client.invoke({ name: 'async' }), 'response'), { a: 'é' });
  const line = (await client.lines(1))[0]?.split('\t') ?? [];
  assert.deepEqual(line.slice(1, 4), [REQUEST_ID, 'ERROR', 'Invoke Error ']);
  assert.equal(JSON.parse(line[4] ?? '').errorType, 'RangeError');
});

describe('a handler that cannot be loaded', () => {
  const cases: readonly [string, Record<string, string>, string, RegExp][] = [
    ['index.handler', {}, 'Runtime.ImportModuleError', /^Error: Cannot find module 'index'/],
    ['index.h', { 'index.js': 'exports.x = 1;' }, 'Runtime.HandlerNotFound', /^index\.h is und/],
    ['index.x', { 'index.js': 'exports.x = 1;' }, 'Runtime.HandlerNotFound', /is not a function$/],
    ['index.h', { 'index.js': 'syntax error' }, 'Runtime.UserCodeSyntaxError', /^SyntaxError: /],
    ['i.h', { 'i.mjs': 'import "nil";' }, 'Error', /^Cannot find package 'nil'/],
    ['i.h', { 'i.mjs': 'throw new RangeError("at init")' }, 'RangeError', /^at init$/],
    ['bad', {}, 'Runtime.MalformedHandlerName', /^Bad handler$/],
    ['../i.h', {}, 'Runtime.MalformedHandlerName', /is not a valid handler name/],
  ];
  for (const [handler, files, type, message] of cases) {
    test(`${handler} with ${JSON.stringify(files)} is ${type}`, async (t) => {
      const client = await startClient(t, { family: 'nodejs', handler, files });
      const init = await client.init;
      assert.ok(init.kind === 'error', client.output());
      const body = JSON.parse(init.body.toString());
      assert.equal(body.errorType, type);
      assert.match(body.errorMessage, message);
      assert.equal(await client.exited, 129);
    });
  }
});

test('modules of every kind are found: ES modules, directories, nested paths, layers', async (t) => {
  const esm = 'export const handler = async () => import.meta.url.slice(-8);';
  const cases: readonly [string, Record<string, string>, unknown][] = [
    ['app.handler', { 'app.mjs': esm }, '/app.mjs'],
    ['app.handler', { 'app.js': esm, 'package.json': '{"type":"module"}' }, '2/app.js'],
    ['src/deep/app.a.b', { 'src/deep/app.cjs': 'exports.a = { b: async () => 7 };' }, 7],
    ['app.handler', { 'app.js': 'exports.handler = () => 6;' }, 6],
    ['dir.handler', { 'dir/index.js': 'exports.handler = async () => 8;' }, 8],
  ];
  for (const [handler, files, expected] of cases) {
    const client = await startClient(t, { family: 'nodejs', handler, files });
    const body = bodyOf(await client.invoke({}), 'response');
    if (expected === '2/app.js') assert.match(body, /app\.js$/);
    else assert.deepEqual(body, expected, JSON.stringify(files));
  }
});

test('an uncaught error ends the process with the reason', async (t) => {
  const cases = [
    ['Promise.reject(new Error("lost"))', 'Runtime.UnhandledPromiseRejection', 'Error: lost', 128],
    ['setTimeout(() => { throw new TypeError("late"); })', 'TypeError', 'late', 129],
  ] as const;
  for (const [statement, type, message, status] of cases) {
    const index = `exports.handler = () => new Promise(() => { ${statement}; setTimeout(() => {}, 9e4); });`;
    const files = { 'index.js': index };
    const client = await startClient(t, { family: 'nodejs', handler: 'index.handler', files });
    const body = bodyOf(await client.invoke({}), 'error');
    assert.deepEqual([body.errorType, body.errorMessage], [type, message]);
    assert.equal(await client.exited, status);
  }
});

const streams = `
const { pipeline } = require('node:stream/promises');
const { Readable } = require('node:stream');
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  if (event.fail === 'before') throw new Error('before');
  if (event.http) stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201 });
  else stream.setContentType('text/plain');
  stream.write('one ');
  if (event.fail === 'after') { await new Promise((r) => setTimeout(r, 20)); throw new Error('after'); }
  if (event.object) stream.write({ object: 1 });
  if (event.forget) return;
  await pipeline(Readable.from(['two ', 'x'.repeat(300_000)]), stream);
});`;

test('a streamed response: type, prelude, objects, errors before and behind the first byte', async (t) => {
  const settings = { handler: 'index.handler', files: { 'index.js': streams } };
  const client = await startClient(t, { family: 'nodejs', ...settings });
  const whole = await client.stream({ object: true });
  assert.equal(whole.outcome.kind, 'streamed');
  assert.equal(whole.contentType, 'text/plain');
  assert.equal(whole.body.toString(), `one {"object":1}two ${'x'.repeat(300_000)}`);
  const http = await client.stream({ http: true });
  assert.equal(http.contentType, 'application/vnd.awslambda.http-integration-response');
  assert.equal(http.body.toString().slice(0, 30), '{"statusCode":201}\0\0\0\0\0\0\0\0one ');
  assert.equal((await client.stream({ forget: true })).body.toString(), 'one ');
  const before = await client.stream({ fail: 'before' });
  assert.equal(bodyOf(before.outcome, 'error').errorMessage, 'before');
  const after = await client.stream({ fail: 'after' });
  assert.equal(bodyOf(after.outcome, 'error').errorMessage, 'after');
  assert.equal(after.body.toString(), 'one ');
});

test('console lines carry time, request and level; a message of several lines is one', async (t) => {
  const index = `exports.handler = async () => {
    console.log('a\\nb', { n: 1 });
    console.debug('low');
    console.error(new Error('bad'));
  };`;
  const settings = {
    family: 'nodejs',
    handler: 'index.handler',
    files: { 'index.js': index },
  } as const;
  const text = await startClient(t, settings);
  await text.invoke({});
  const [first = '', second, third] = await text.lines(3);
  assert.match(first, /^\d{4}-\d\d-\d\dT[\d:.]+Z\t8286a188-[0-9a-f-]+\tINFO\ta\rb \{ n: 1 \}$/);
  assert.match(second ?? '', /\tDEBUG\tlow$/);
  assert.match(third ?? '', /\tERROR\tError: bad\r {4}at /);
  const environment = { AWS_LAMBDA_LOG_FORMAT: 'JSON', AWS_LAMBDA_LOG_LEVEL: 'INFO' };
  const json = await startClient(t, { ...settings, environment });
  await json.invoke({});
  const lines = (await json.lines(2)).map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ level, requestId, message }) => [
      level,
      requestId,
      message.errorMessage ?? message,
    ]),
    [
      ['INFO', REQUEST_ID, 'a\nb { n: 1 }'],
      ['ERROR', REQUEST_ID, 'bad'],
    ],
  );
});
