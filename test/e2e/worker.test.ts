import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { hostHas } from '../support/host.ts';
import { loopDevicesOf } from './sandbox-support.ts';
import { makeCompute, makeNodeDisk, templateOf, WORKER_NEEDS } from './worker-support.ts';

const handler = `
import { writeFileSync } from 'node:fs';
let invokes = 0;
let ticks = 0;
setInterval(() => ticks++, 10);
if (process.env.FAIL_INIT) throw new TypeError('no such module');
if (process.env.EXIT_INIT) process.exit(3);
const seen = [];
if (process.env.EXTENSION) {
  const base = 'http://' + process.env.AWS_LAMBDA_RUNTIME_API + '/2020-01-01/extension/';
  const headers = { 'Lambda-Extension-Name': 'internal' };
  const body = JSON.stringify({ events: ['INVOKE'] });
  const made = await fetch(base + 'register', { method: 'POST', headers, body });
  const own = { 'Lambda-Extension-Identifier': made.headers.get('lambda-extension-identifier') };
  (async () => {
    for (;;) seen.push((await (await fetch(base + 'event/next', { headers: own })).json()).requestId);
  })();
}
const kept = [];
const deeds = {
  echo: (event) => event,
  env: () => process.env,
  count: () => ++invokes,
  ticks: () => ticks,
  seen: async () => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    return seen;
  },
  sleep: ({ ms }) => new Promise((resolve) => setTimeout(() => resolve('slept'), ms)),
  throw: () => { throw new RangeError('told to'); },
  exit: ({ status }) => process.exit(status),
  kill: () => process.kill(process.pid, 'SIGKILL') && new Promise(() => {}),
  print: ({ bytes }) => { console.log('p'.repeat(bytes)); return 'printed'; },
  large: ({ bytes }) => 'x'.repeat(bytes - 2),
  hang: () => new Promise(() => {}),
  spin: () => { for (;;) {} },
  eat: () => { for (;;) kept.push(Buffer.alloc(16 << 20, 1)); },
  fill: () => { for (let i = 0; ; i++) writeFileSync('/tmp/' + i, Buffer.alloc(8 << 20)); },
};
export const handler = (event) => deeds[event.do](event);
`;

const bodyOf = (outcome: { payload: Buffer }) =>
  JSON.parse(outcome.payload.toString()) as Record<string, unknown>;

describe('a worker with lean sandboxes', () => {
  let directory: string;
  let disk: string | undefined;

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-worker-'));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  /** The disk is made once, by the first test that has what it needs. */
  function compute(t: TestContext) {
    if (!hostHas(t, ...WORKER_NEEDS)) return undefined;
    disk ??= makeNodeDisk(directory, handler);
    return makeCompute(t, disk);
  }

  test('starts a runtime, answers, and answers again from the same sandbox', async (t) => {
    const { invoke, lines } = (await compute(t)) ?? {};
    if (!invoke) return;
    const cold = await invoke({ do: 'count' }, { logTail: true });
    assert.equal(cold.payload.toString(), '1');
    assert.ok(cold.start);
    assert.ok(cold.start.initMs > 0);
    assert.match(
      String(cold.logTail),
      /^START RequestId: \S+ Version: \$LATEST\nEND RequestId: \S+\nREPORT RequestId: \S+\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 1769 MB\tMax Memory Used: [1-9]\d+ MB\tInit Duration: [\d.]+ ms\t\n$/,
    );
    const warm = await invoke({ do: 'count' });
    assert.equal(warm.payload.toString(), '2');
    assert.equal(warm.start, undefined);
    const environment = bodyOf(await invoke({ do: 'env' }));
    assert.equal(environment['AWS_LAMBDA_FUNCTION_MEMORY_SIZE'], '1769');
    assert.equal(environment['_HANDLER'], 'app.handler');
    const starts = (lines ?? []).filter((line) => line.text.startsWith('START '));
    assert.equal(starts.length, 3);
  });

  test('runs parallel invokes in sandboxes of their own', async (t) => {
    const { invoke, assignment } = (await compute(t)) ?? {};
    if (!invoke) return;
    const asked = Array.from({ length: 4 }, () => invoke({ do: 'sleep', ms: 1000 }));
    for (const outcome of await Promise.all(asked)) {
      assert.equal(outcome.payload.toString(), '"slept"');
    }
    assert.equal(assignment?.stats().sandboxes, 4);
  });

  test('answers errors of the function as Lambda does', async (t) => {
    const { invoke } = (await compute(t)) ?? {};
    if (!invoke) return;
    const template = templateOf({ timeoutMs: 1000, revision: '2' });
    const thrown = await invoke({ do: 'throw' }, { template });
    assert.equal(thrown.functionError, 'Unhandled');
    const { errorType, errorMessage } = bodyOf(thrown);
    assert.deepEqual([errorType, errorMessage], ['RangeError', 'told to']);

    const requestId = '11111111-2222-4333-8444-555555555555';
    const cases = [
      [{ do: 'exit', status: 0 }, 'Runtime exited without providing a reason'],
      [{ do: 'exit', status: 9 }, 'Runtime exited with error: exit status 9'],
      [{ do: 'kill' }, 'Runtime exited with error: signal: killed'],
      [{ do: 'eat' }, 'Runtime exited with error: signal: killed'],
    ] as const;
    const small = templateOf({ memoryMb: 600, timeoutMs: 30_000, revision: '3' });
    for (const [event, message] of cases) {
      const on = event.do === 'eat' ? { template: small } : {};
      const outcome = await invoke(event, { ...on, requestId });
      const told = JSON.stringify(event);
      assert.deepEqual(
        { told, ...bodyOf(outcome) },
        {
          told,
          errorType: 'Runtime.ExitError',
          errorMessage: `RequestId: ${requestId} Error: ${message}`,
        },
      );
    }
    for (const event of [{ do: 'hang' }, { do: 'spin' }]) {
      assert.equal(
        (await invoke(event, { template, requestId })).payload.toString(),
        `{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: ${requestId} Error: Task timed out after 1.00 seconds"}`,
      );
    }
    const tight = templateOf({ ephemeralMb: 32, revision: '4' });
    const full = bodyOf(await invoke({ do: 'fill' }, { template: tight }));
    assert.match(String(full['errorMessage']), /ENOSPC/);
    assert.equal((await invoke({ do: 'count' }, { template })).payload.toString(), '1');
  });

  test('takes a response of the limit, not one byte more', async (t) => {
    const { invoke } = (await compute(t)) ?? {};
    if (!invoke) return;
    const largest = await invoke({ do: 'large', bytes: 6_291_556 });
    assert.equal(largest.payload.length, 6_291_556);
    assert.deepEqual(bodyOf(await invoke({ do: 'large', bytes: 6_291_557 })), {
      errorType: 'Function.ResponseSizeTooLarge',
      errorMessage: 'Response payload size exceeded maximum allowed payload size (6291556 bytes).',
    });
    assert.equal((await invoke({ do: 'echo' })).start, undefined, 'and serves on');
  });

  test('is not hurt by a handler that prints a megabyte', async (t) => {
    const { invoke } = (await compute(t)) ?? {};
    if (!invoke) return;
    const { logTail } = await invoke({ do: 'print', bytes: 1 << 20 }, { logTail: true });
    assert.equal(logTail?.length, 4096);
    assert.match(String(logTail), /ppp\nEND RequestId: \S+\nREPORT RequestId: /);
  });

  test('tells an extension in the runtime of each invoke', async (t) => {
    const { invoke } = (await compute(t)) ?? {};
    if (!invoke) return;
    const template = templateOf({ environment: { EXTENSION: '1' } });
    const requestIds = ['one', 'two', 'three'];
    for (const [n, requestId] of requestIds.entries()) {
      const { payload } = await invoke({ do: 'seen' }, { template, requestId });
      assert.deepEqual(JSON.parse(payload.toString()), requestIds.slice(0, n + 1));
    }
  });

  test('freezes a sandbox that idles, and thaws it for its next invoke', async (t) => {
    const { invoke } = (await compute(t)) ?? {};
    if (!invoke) return;
    const before = Number(String((await invoke({ do: 'ticks' })).payload));
    await new Promise((resolve) => setTimeout(resolve, 4000));
    const after = await invoke({ do: 'ticks' });
    assert.equal(after.start, undefined);
    const ticks = Number(String(after.payload)) - before;
    assert.ok(ticks > 10 && ticks < 250, `${ticks} ticks of 10 ms in 4 s`);
  });

  test('answers an init that fails with what the runtime said of it', async (t) => {
    const { invoke } = (await compute(t)) ?? {};
    if (!invoke) return;
    const failing = templateOf({ environment: { FAIL_INIT: '1' } });
    const failed = await invoke({}, { template: failing });
    assert.equal(failed.functionError, 'Unhandled');
    assert.equal(bodyOf(failed)['errorMessage'], 'no such module');
    const exiting = templateOf({ environment: { EXIT_INIT: '1' }, revision: '2' });
    const requestId = '11111111-2222-4333-8444-555555555555';
    assert.deepEqual(bodyOf(await invoke({}, { template: exiting, requestId })), {
      errorType: 'Runtime.ExitError',
      errorMessage: `RequestId: ${requestId} Error: Runtime exited with error: exit status 3`,
    });
    const lost = templateOf({ entrypoint: ['/no/such/program'], revision: '3' });
    const entry = bodyOf(await invoke({}, { template: lost, requestId }));
    assert.equal(entry['errorType'], 'Runtime.InvalidEntrypoint');
    assert.match(
      String(entry['errorMessage']),
      /Error: entrypoint \/no\/such\/program: no such file/,
    );
  });

  test('answers wrong settings of an image in words, which are also in its log', async (t) => {
    const { invoke, lines } = (await compute(t)) ?? {};
    if (!invoke || !lines) return;
    const wrong = [
      [{ entrypoint: [], command: [] }, 'InvalidEntrypoint', /entrypoint: there is none; set/],
      [{ workingDirectory: 'src' }, 'InvalidWorkingDir', /working directory "src": is not abs/],
      [{ workingDirectory: '/no' }, 'InvalidWorkingDir', /working directory \/no: no such direc/],
      [{ imageEnvironment: { '': 'x' } }, 'InvalidEnvironment', /"=x" names no variable/],
    ] as const;
    for (const [index, [more, errorType, message]] of wrong.entries()) {
      const template = templateOf({ ...more, revision: `wrong-${index}` });
      const answer = await invoke({}, { template, logTail: true });
      assert.equal(answer.functionError, 'Unhandled');
      assert.equal(bodyOf(answer)['errorType'], `Runtime.${errorType}`);
      assert.match(String(bodyOf(answer)['errorMessage']), message);
      assert.match(String(answer.logTail), message, 'the log of the invoke');
      assert.ok(
        lines.some(({ text }) => message.test(text)),
        'the log of the function',
      );
    }
  });

  test('leaves no loop device', (t) => {
    if (!hostHas(t, ...WORKER_NEEDS)) return;
    assert.deepEqual(loopDevicesOf(String(disk)), []);
  });
});
