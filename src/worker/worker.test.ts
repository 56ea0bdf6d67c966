import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import { PassThrough } from 'node:stream';
import { describe, type TestContext, test } from 'node:test';
import type { HostedSandbox, SandboxInvoke, SandboxTemplate } from '../assignment/mod.ts';
import { isSluiceError, noLogger, SeededRandom, SluiceError, systemClock } from '../base/mod.ts';
import type {
  LogLine,
  RuntimeApiEvent,
  RuntimeInitOutcome,
  RuntimeInvokeOutcome,
  Sandbox,
  SandboxExit,
  SandboxProvider,
  SandboxRuntimeApi,
  SandboxSpec,
} from './types.ts';
import { Worker } from './worker.ts';

const template: SandboxTemplate = {
  functionArn: 'arn:aws:lambda:us-east-1:000000000000:function:f',
  functionName: 'f',
  version: '$LATEST',
  revision: '1',
  accountId: '000000000000',
  region: 'us-east-1',
  manifestId: 'm',
  memoryMb: 128,
  timeoutMs: 300,
  ephemeralMb: 512,
  environment: { MINE: '1' },
  imageEnvironment: { PATH: '/bin' },
  entrypoint: ['/bootstrap'],
  command: ['app.handler'],
  workingDirectory: '',
  logGroup: '/aws/lambda/f',
};

const exitOf = (exitCode: number | null, signal: string | null = null): SandboxExit => ({
  exitCode,
  signal,
  oomKilled: false,
});

/** A sandbox without processes, whose runtime does what a test tells it to. */
class FakeSandbox implements Sandbox, SandboxRuntimeApi {
  readonly sandboxId: string;
  readonly runtimeApi: Server = createServer();
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly #exit = Promise.withResolvers<SandboxExit>();
  readonly exited = this.#exit.promise;
  readonly #ready = Promise.withResolvers<RuntimeInitOutcome>();
  readonly ready = this.#ready.promise;
  readonly spec: SandboxSpec;
  events: RuntimeApiEvent[] = [];
  handler: (event: RuntimeApiEvent) => Promise<RuntimeInvokeOutcome> = async (event) => ({
    kind: 'response',
    body: event.payload,
  });
  whenSettled: () => Promise<void> = () => Promise.resolve();
  stops = 0;

  constructor(spec: SandboxSpec) {
    this.spec = spec;
    this.sandboxId = spec.sandboxId;
  }

  initDone(outcome: RuntimeInitOutcome = { kind: 'ready' }): void {
    this.#ready.resolve(outcome);
  }

  exit(exit: SandboxExit): void {
    this.stdout.end();
    this.stderr.end();
    this.#exit.resolve(exit);
  }

  attach(): void {}

  async invoke(event: RuntimeApiEvent): Promise<RuntimeInvokeOutcome> {
    await this.ready;
    assert.ok(!this.frozen, 'a frozen runtime takes no event');
    this.events.push(event);
    return this.handler(event);
  }

  settled(): Promise<void> {
    return this.whenSettled();
  }

  close(): void {}
  frozen = false;

  async freeze(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 5));
    this.frozen = true;
  }

  async thaw(): Promise<void> {
    assert.ok(this.frozen, 'only what is frozen is thawed');
    this.frozen = false;
  }

  async peakMemoryBytes(): Promise<number> {
    return 37 * 1024 * 1024 - 5;
  }

  async stop(): Promise<void> {
    this.stops++;
    this.exit(exitOf(null, 'SIGKILL'));
  }
}

interface Bench {
  readonly worker: Worker;
  readonly sandboxes: FakeSandbox[];
  readonly lines: LogLine[];
  readonly devices: { opened: number; closed: number };
  start(id?: string): Promise<HostedSandbox>;
}

function bench(
  t: TestContext,
  onStart: (sandbox: FakeSandbox) => void = (sandbox) => sandbox.initDone(),
  options: { initTimeoutMs?: number; coldStartsAtOnce?: number; freezeAfterMs?: number } = {},
): Bench {
  const sandboxes: FakeSandbox[] = [];
  const lines: LogLine[] = [];
  const devices = { opened: 0, closed: 0 };
  const provider: SandboxProvider = {
    start: async (spec) => {
      const sandbox = new FakeSandbox(spec);
      sandboxes.push(sandbox);
      onStart(sandbox);
      return sandbox;
    },
  };
  const worker = new Worker({
    devices: {
      open: async () => {
        devices.opened++;
        return {
          path: '/disk',
          close: async () => void devices.closed++,
          stats: async () => ({ bytesFetched: 4096, chunksFetched: 1 }),
        };
      },
    },
    sandboxes: provider,
    runtimeApis: () => sandboxes.at(-1) as FakeSandbox,
    logs: { write: (line) => lines.push(line) },
    clock: systemClock,
    random: new SeededRandom(1),
    logger: noLogger,
    ...options,
  });
  t.after(async () => {
    await worker.close();
    assert.equal(worker.sandboxes, 0);
    assert.equal(devices.closed, devices.opened, 'every device that was opened is closed');
  });
  const signal = new AbortController().signal;
  const start = (sandboxId = 'sb-1') =>
    worker.start(template, { sandboxId, initializationType: 'on-demand', signal });
  return { worker, sandboxes, lines, devices, start };
}

const invokeOf = (more: Partial<SandboxInvoke> = {}): SandboxInvoke => ({
  requestId: 'r-1',
  payload: Buffer.from('{"a":1}'),
  invokedFunctionArn: template.functionArn,
  logTail: false,
  ...more,
});

const textOf = (payload: Buffer) => JSON.parse(payload.toString()) as Record<string, unknown>;

describe('a start', () => {
  test('gives the sandbox the limits and the environment of the function', async (t) => {
    const { start, sandboxes } = bench(t);
    await start();
    const spec = sandboxes[0]!.spec;
    assert.equal(spec.memoryBytes, 128 * 1024 * 1024);
    assert.equal(spec.cpuMillis, 72);
    assert.equal(spec.tmpBytes, 512 * 1024 * 1024);
    assert.deepEqual(spec.argv, ['/bootstrap', 'app.handler']);
    assert.equal(spec.workingDirectory, '/var/task');
    assert.equal(spec.environment['MINE'], '1');
    assert.equal(spec.environment['PATH'], '/bin');
    assert.equal(spec.environment['_HANDLER'], 'app.handler');
    assert.equal(spec.environment['AWS_LAMBDA_RUNTIME_API'], '127.0.0.1:9001');
    assert.match(
      spec.environment['AWS_LAMBDA_LOG_STREAM_NAME'] ?? '',
      /^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/,
    );
  });

  test('over the limit of starts is refused at once, with a reason', async (t) => {
    const { start, sandboxes } = bench(t, () => {}, { coldStartsAtOnce: 1 });
    const first = start('sb-1');
    await assert.rejects(start('sb-2'), (error) => {
      assert.ok(isSluiceError(error, 'START_LIMIT_EXCEEDED'));
      assert.equal(error.data['limit'], 'starts-per-worker');
      return true;
    });
    sandboxes[0]!.initDone();
    await first;
  });

  test('that nobody wants any more leaves nothing', async (t) => {
    const { worker, devices, sandboxes } = bench(t, () => {});
    const controller = new AbortController();
    const { signal } = controller;
    const options = { sandboxId: 'sb-1', initializationType: 'on-demand', signal } as const;
    const starting = worker.start(template, options);
    setTimeout(() => controller.abort(new SluiceError('CANCELLED', 'sb-1: not wanted')), 20);
    await assert.rejects(starting, (error) => isSluiceError(error, 'CANCELLED'));
    assert.equal(devices.closed, 1);
    assert.equal(sandboxes[0]!.stops, 1);
  });
});

describe('an invoke', () => {
  test('answers with the response and can be followed by another', async (t) => {
    const { start } = bench(t);
    const sandbox = await start();
    for (let i = 0; i < 3; i++) {
      const { answer, settled } = sandbox.invoke(invokeOf());
      assert.equal((await answer).payload.toString(), '{"a":1}');
      assert.equal((await answer).status, 'ok');
      assert.equal(await settled, true);
    }
  });

  test('has START, the output, END and REPORT in its log', async (t) => {
    const { start, sandboxes, lines } = bench(t);
    const hosted = await start();
    const [sandbox] = sandboxes;
    sandbox!.handler = async () => {
      sandbox!.stdout.write('hello\nworld');
      sandbox!.stderr.write('oops\n');
      await new Promise((resolve) => setTimeout(resolve, 5));
      sandbox!.stdout.write('!\n');
      return { kind: 'response', body: Buffer.from('1') };
    };
    const { logTail } = await hosted.invoke(invokeOf({ logTail: true })).answer;
    const log = String(logTail);
    assert.match(
      log,
      /^START RequestId: r-1 Version: \$LATEST\nhello\noops\nworld!\nEND RequestId: r-1\nREPORT /,
    );
    assert.match(
      log,
      /REPORT RequestId: r-1\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: 37 MB\tInit Duration: [\d.]+ ms\t\n$/,
    );
    assert.equal(lines.filter((line) => line.requestId === 'r-1').length, 6);
    const again = await hosted.invoke(invokeOf({ logTail: true })).answer;
    assert.doesNotMatch(String(again.logTail), /Init Duration/);
  });

  test('a handler that prints a megabyte gets the last 4 KiB of it', async (t) => {
    const { start, sandboxes } = bench(t);
    const hosted = await start();
    const [sandbox] = sandboxes;
    sandbox!.handler = async () => {
      sandbox!.stdout.write(`${'x'.repeat(999)}\n`.repeat(1000));
      sandbox!.stdout.write('y'.repeat(1024 * 1024));
      return { kind: 'response', body: Buffer.from('1') };
    };
    const { logTail } = await hosted.invoke(invokeOf({ logTail: true })).answer;
    assert.equal(logTail?.length, 4096);
    assert.match(String(logTail), /yyy\nEND RequestId: r-1\nREPORT/);
  });

  test('passes on what the runtime posted, and the sandbox serves on', async (t) => {
    const { start, sandboxes } = bench(t);
    const hosted = await start();
    const body = Buffer.from('{"errorMessage":"no","errorType":"E","stackTrace":[]}');
    sandboxes[0]!.handler = async () => ({ kind: 'error', body, errorType: 'E' });
    const { answer, settled } = hosted.invoke(invokeOf());
    const { status, payload, functionError } = await answer;
    assert.deepEqual([status, functionError], ['function-error', 'Unhandled']);
    assert.equal(payload, body);
    assert.equal(await settled, true);
  });

  test('that runs out of time ends the sandbox', async (t) => {
    const { start, sandboxes } = bench(t);
    const hosted = await start();
    sandboxes[0]!.handler = () => new Promise(() => {});
    const { answer, settled } = hosted.invoke(invokeOf());
    const { status, payload } = await answer;
    assert.equal(status, 'function-error');
    assert.equal(
      payload.toString(),
      '{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: r-1 Error: Task timed out after 0.30 seconds"}',
    );
    assert.equal(await settled, false);
    await hosted.ended;
    assert.equal(sandboxes[0]!.stops, 1);
  });

  for (const [exit, message] of [
    [exitOf(0), 'Runtime exited without providing a reason'],
    [exitOf(127), 'Runtime exited with error: exit status 127'],
    [exitOf(null, 'SIGKILL'), 'Runtime exited with error: signal: killed'],
    [exitOf(null, 'SIGSEGV'), 'Runtime exited with error: signal: segmentation fault'],
  ] as const) {
    test(`whose process ends says: ${message}`, async (t) => {
      const { start, sandboxes } = bench(t);
      const hosted = await start();
      sandboxes[0]!.handler = () => {
        setTimeout(() => sandboxes[0]!.exit(exit), 5);
        return new Promise(() => {});
      };
      const { answer, settled } = hosted.invoke(invokeOf());
      const errorMessage = `RequestId: r-1 Error: ${message}`;
      const expected = { errorType: 'Runtime.ExitError', errorMessage };
      assert.deepEqual(textOf((await answer).payload), expected);
      assert.equal(await settled, false);
      await hosted.ended;
    });
  }

  test('whose response is too large says how large it may be', async (t) => {
    const { start, sandboxes } = bench(t);
    const hosted = await start();
    sandboxes[0]!.handler = async () => ({ kind: 'oversize', limitBytes: 6_291_556 });
    assert.deepEqual(textOf((await hosted.invoke(invokeOf()).answer).payload), {
      errorType: 'Function.ResponseSizeTooLarge',
      errorMessage: 'Response payload size exceeded maximum allowed payload size (6291556 bytes).',
    });
  });

  test('whose runtime exits after the response is answered all the same', async (t) => {
    const { start, sandboxes } = bench(t);
    const hosted = await start();
    sandboxes[0]!.whenSettled = () => new Promise(() => {});
    const { answer, settled } = hosted.invoke(invokeOf());
    assert.equal((await answer).status, 'ok');
    sandboxes[0]!.exit(exitOf(1));
    assert.equal(await settled, false);
    await hosted.ended;
  });

  test('whose runtime never asks again loses its sandbox at the timeout', async (t) => {
    const { start, sandboxes } = bench(t);
    const hosted = await start();
    sandboxes[0]!.whenSettled = () => new Promise(() => {});
    const { answer, settled } = hosted.invoke(invokeOf());
    assert.equal((await answer).status, 'ok');
    assert.equal(await settled, false);
    await hosted.ended;
  });

  test('stopped from outside still gets an answer', async (t) => {
    const { start, sandboxes } = bench(t);
    const hosted = await start();
    sandboxes[0]!.handler = () => new Promise(() => {});
    const { answer } = hosted.invoke(invokeOf());
    await hosted.stop();
    assert.equal(textOf((await answer).payload)['errorType'], 'Runtime.ExitError');
  });
});

describe('init', () => {
  test('that the runtime reports as failed is the answer of the first invoke', async (t) => {
    const body = Buffer.from(
      '{"errorMessage":"no module","errorType":"Runtime.ImportModuleError"}',
    );
    const outcome = { kind: 'error', body, errorType: 'Runtime.ImportModuleError' } as const;
    const { start, sandboxes } = bench(t, (sandbox) => {
      sandbox.stderr.write('Traceback\n');
      setTimeout(() => sandbox.initDone(outcome), 10);
    });
    const hosted = await start();
    assert.equal(hosted.initFailed, true);
    assert.equal(sandboxes[0]!.stops, 1, 'nothing runs while it waits to say so');
    const { answer, settled } = hosted.invoke(invokeOf({ logTail: true }));
    assert.equal((await answer).payload, body);
    assert.match(String((await answer).logTail), /^Traceback\nSTART RequestId: r-1/);
    assert.equal(await settled, false);
    await hosted.ended;
  });

  test('whose process exits says so with the request id of the invoke', async (t) => {
    const { start } = bench(t, (sandbox) => setTimeout(() => sandbox.exit(exitOf(1)), 5));
    const hosted = await start();
    const { payload } = await hosted.invoke(invokeOf()).answer;
    assert.deepEqual(textOf(payload), {
      errorType: 'Runtime.ExitError',
      errorMessage: 'RequestId: r-1 Error: Runtime exited with error: exit status 1',
    });
    await hosted.ended;
  });

  test('that takes too long is run again inside the first invoke', async (t) => {
    let starts = 0;
    const onStart = (sandbox: FakeSandbox) => {
      if (++starts === 2) setTimeout(() => sandbox.initDone(), 50);
    };
    const { start, sandboxes } = bench(t, onStart, { initTimeoutMs: 30 });
    const hosted = await start();
    assert.equal(hosted.initFailed, false);
    const { answer, settled } = hosted.invoke(invokeOf());
    assert.equal((await answer).status, 'ok');
    assert.ok((await answer).durationMs >= 45, 'the second init counts as the function’s time');
    assert.equal(await settled, true);
    assert.deepEqual(
      sandboxes.map((sandbox) => sandbox.stops),
      [1, 0],
    );
  });

  test('that never ends is a timeout of the first invoke', async (t) => {
    const { start } = bench(t, () => {}, { initTimeoutMs: 30 });
    const hosted = await start();
    const { payload } = await hosted.invoke(invokeOf()).answer;
    assert.equal(textOf(payload)['errorType'], 'Sandbox.Timedout');
    await hosted.ended;
  });

  test('the death of an idle sandbox is noticed', async (t) => {
    const { start, sandboxes } = bench(t);
    const hosted = await start();
    sandboxes[0]!.exit(exitOf(1));
    await hosted.ended;
  });
});

describe('an idle sandbox', () => {
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  test('is frozen after a while, and thawed for its next invoke', async (t) => {
    const { start, sandboxes } = bench(t, undefined, { freezeAfterMs: 20 });
    const hosted = await start();
    for (let i = 0; i < 3; i++) {
      const { answer, settled } = hosted.invoke(invokeOf());
      assert.equal((await answer).status, 'ok');
      await settled;
      assert.equal(sandboxes[0]!.frozen, false, 'not at once');
      await pause(60);
      assert.equal(sandboxes[0]!.frozen, true);
    }
  });

  test('that gets an invoke while it freezes runs it', async (t) => {
    const { start } = bench(t, undefined, { freezeAfterMs: 20 });
    const hosted = await start();
    for (let delayMs = 18; delayMs < 28; delayMs++) {
      await pause(delayMs);
      const { answer, settled } = hosted.invoke(invokeOf());
      assert.equal((await answer).status, 'ok');
      await settled;
    }
  });

  test('is not frozen while it works', async (t) => {
    const { start, sandboxes } = bench(t, undefined, { freezeAfterMs: 10 });
    const hosted = await start();
    sandboxes[0]!.handler = async (event) => {
      await pause(60);
      assert.equal(sandboxes[0]!.frozen, false);
      return { kind: 'response', body: event.payload };
    };
    assert.equal((await hosted.invoke(invokeOf()).answer).status, 'ok');
  });
});
