import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import type { RuntimeOutcome } from '../types.ts';
import { startClient } from './testing/client-process.fixture.ts';

function bodyOf(outcome: RuntimeOutcome, kind: 'response' | 'error') {
  assert.ok(outcome.kind === kind, `${outcome.kind}: ${JSON.stringify(outcome)}`);
  return JSON.parse(outcome.body.toString());
}

test('a promise that never settles is an error, and the process ends as Node would', async (t) => {
  const files = { 'index.js': 'exports.handler = () => new Promise(() => {});' };
  for (const version of ['nodejs22', 'nodejs24']) {
    const environment = { AWS_EXECUTION_ENV: `AWS_Lambda_${version}.x` };
    const settings = { family: 'nodejs', handler: 'index.handler', files, environment } as const;
    const client = await startClient(t, settings);
    assert.equal(bodyOf(await client.invoke({}), 'error').errorType, 'Runtime.NodeJsExit');
    assert.equal(await client.exited, 13);
  }
});

test('a handler that never calls back answers null, and its own listeners stay its own', async (t) => {
  const own = "process.on('beforeExit', () => console.log('idle'));\n";
  const files = { 'index.js': `${own}exports.handler = (event, context, done) => {};` };
  const client = await startClient(t, { family: 'nodejs', handler: 'index.handler', files });
  assert.equal(bodyOf(await client.invoke({}), 'response'), null);
  assert.match((await client.lines(1))[0] ?? '', /idle$/);
  assert.equal(bodyOf(await client.invoke({}), 'response'), null);
  assert.match((await client.lines(2))[1] ?? '', /idle$/);
});

test('changes that a function or its tracer makes to http and net.connect do not affect the client', async (t) => {
  const index = `
for (const name of ['http', 'https']) {
  const module = require('node:' + name);
  for (const call of ['request', 'get']) module[call] = () => { throw new Error('disabled'); };
  module.Agent.prototype.addRequest = () => { throw new Error('disabled'); };
}
require('node:http').ClientRequest.prototype.end = () => { throw new Error('disabled'); };
for (const call of ['connect', 'createConnection']) {
  require('node:net')[call] = () => { throw new Error('disabled'); };
}
exports.handler = async (event) => { if (event.fail) throw new Error('f'); return 1; };
exports.stream = awslambda.streamifyResponse(async (event, stream) => { stream.end('s'); });`;
  const files = { 'index.js': index };
  const client = await startClient(t, { family: 'nodejs', handler: 'index.handler', files });
  assert.equal(bodyOf(await client.invoke({}), 'response'), 1);
  assert.equal(bodyOf(await client.invoke({ fail: true }), 'error').errorMessage, 'f');
  const streaming = await startClient(t, { family: 'nodejs', handler: 'index.stream', files });
  assert.equal((await streaming.stream({})).body.toString(), 's');
});

test('the client loads little of Node before the function does', async (t) => {
  const files = {
    'index.js':
      'const loaded = process.moduleLoadList.filter((name) => /^NativeModule (_http|http|https|tls|dns|child_process|worker_threads|fs.promises|readline)/.test(name)); exports.handler = async () => loaded;',
  };
  const client = await startClient(t, { family: 'nodejs', handler: 'index.handler', files });
  assert.deepEqual(bodyOf(await client.invoke({}), 'response'), []);
});

test('import finds packages of layers, beside the code first, with their own exports', async (t) => {
  const files = {
    'index.mjs':
      'import { at } from "layered"; import { at as near } from "both"; import plain from "plain"; export const handler = async () => [at, near, plain];',
    'opt/nodejs/node_modules/layered/package.json':
      '{"exports":{"import":"./esm.mjs","require":"./cjs.js"}}',
    'opt/nodejs/node_modules/layered/esm.mjs': 'export const at = "layer, esm";',
    'opt/nodejs/node_modules/layered/cjs.js': 'exports.at = "layer, cjs";',
    'opt/nodejs/node_modules/both/index.js': 'exports.at = "layer";',
    'node_modules/both/index.js': 'exports.at = "own";',
    'opt/other/plain.js': 'module.exports = "plain directory";',
  };
  const root = temporaryDirectory(t, 'layer');
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const client = await startClient(t, {
    family: 'nodejs',
    handler: 'index.handler',
    files: {},
    environment: {
      LAMBDA_TASK_ROOT: root,
      NODE_PATH: `${root}/opt/nodejs/node_modules:${root}/opt/other`,
    },
  });
  assert.deepEqual(bodyOf(await client.invoke({}), 'response'), [
    ...['layer, esm', 'own', 'plain directory'],
  ]);
});

test('what works here and fails on Lambda is said once, and is an error if it is strict', async (t) => {
  const index = `exports.handler = async (event) => { setTimeout(() => {}, 300); return 1; };
exports.value = (event) => 2;
exports.plain = awslambda.streamifyResponse((event, stream) => { stream.write('x'); stream.end(); });
exports.open = awslambda.streamifyResponse(async (event, stream) => { stream.write('x'); });`;
  const cases: readonly [string, RegExp][] = [
    ['handler', /timers or requests of it go on/],
    ['value', /is not async/],
    ['plain', /is not async/],
    ['open', /did not end its stream/],
  ];
  for (const [name, message] of cases) {
    const settings = {
      family: 'nodejs',
      handler: `index.${name}`,
      files: { 'index.js': index },
    } as const;
    const lenient = await startClient(t, settings);
    for (let run = 0; run < 2; run += 1) {
      assert.ok(['response', 'streamed'].includes((await lenient.stream({})).outcome.kind), name);
    }
    const [line = '', more] = lenient.output().trim().split('\n');
    assert.match(line, message);
    assert.equal(more, undefined);
    const strict = await startClient(t, { ...settings, environment: { SLUICE_STRICT: '1' } });
    const { errorType, errorMessage } = bodyOf((await strict.stream({})).outcome, 'error');
    assert.equal(errorType, 'Runtime.NotPortable');
    assert.match(errorMessage, message);
  }
});

test('an error before the first byte leaves no response behind, not even its head', async (t) => {
  const index = `exports.handler = awslambda.streamifyResponse(async (event, stream) => {
    awslambda.HttpResponseStream.from(stream, { statusCode: 201 });
    throw new Error('early');
  });`;
  const settings = { handler: 'index.handler', files: { 'index.js': index } };
  const client = await startClient(t, { family: 'nodejs', ...settings });
  const { outcome, contentType } = await client.stream({});
  assert.equal(bodyOf(outcome, 'error').errorMessage, 'early');
  assert.equal(contentType, '');
});
