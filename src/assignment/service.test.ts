import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { isSluiceError, noLogger, SeededRandom, SluiceError, systemClock } from '../base/mod.ts';
import type { AssignmentOptions } from './options.ts';
import { AssignmentService } from './service.ts';
import type {
  HostedSandbox,
  InvokeRequest,
  SandboxAnswer,
  SandboxHost,
  SandboxTemplate,
} from './types.ts';
import { UsageLedger } from './usage.ts';

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A busy machine is late, not wrong. */
async function eventually(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !holds(); i++) await sleep(5);
  assert.ok(holds());
}

function templateOf(name: string, more: Partial<SandboxTemplate> = {}): SandboxTemplate {
  return {
    functionArn: `arn:aws:lambda:us-east-1:000000000000:function:${name}`,
    functionName: name,
    version: '$LATEST',
    revision: '1',
    accountId: '000000000000',
    region: 'us-east-1',
    manifestId: 'm',
    memoryMb: 128,
    timeoutMs: 1000,
    ephemeralMb: 512,
    environment: {},
    imageEnvironment: {},
    entrypoint: ['/x'],
    command: [],
    workingDirectory: '/',
    logGroup: `/aws/lambda/${name}`,
    ...more,
  };
}

/** A worker whose sandboxes take some time to start and to run, and keep count of what they do. */
class FakeHost implements SandboxHost {
  startMs = 5;
  runMs = 5;
  up = 0;
  starts = 0;
  starting = 0;
  startsAtOnce = Number.POSITIVE_INFINITY;
  mostAtWork = 0;
  atWork = 0;
  fail: ((n: number) => Error | undefined) | undefined;
  readonly kill: (() => void)[] = [];

  async start(
    template: SandboxTemplate,
    { sandboxId, signal }: { sandboxId: string; signal: AbortSignal },
  ): Promise<HostedSandbox> {
    if (this.starting >= this.startsAtOnce) {
      throw new SluiceError('START_LIMIT_EXCEEDED', 'this worker starts enough already');
    }
    const n = this.starts++;
    this.starting++;
    const error = this.fail?.(n);
    await sleep(this.startMs);
    this.starting--;
    if (error) throw error;
    signal.throwIfAborted();
    this.up++;
    const ended = Promise.withResolvers<void>();
    let stopped = false;
    let busy = false;
    const stop = async () => {
      if (stopped) return;
      stopped = true;
      await sleep(1);
      this.up--;
      ended.resolve();
    };
    this.kill.push(() => void stop());
    const run = async (payload: Buffer): Promise<SandboxAnswer> => {
      assert.ok(!busy && !stopped, 'a sandbox runs one invoke at a time');
      busy = true;
      this.mostAtWork = Math.max(this.mostAtWork, ++this.atWork);
      await sleep(this.runMs);
      this.atWork--;
      busy = false;
      const text = `${template.functionName}:${payload}:${sandboxId}`;
      return { status: 'ok', payload: Buffer.from(text), durationMs: this.runMs };
    };
    return {
      sandboxId,
      initFailed: false,
      timings: { deviceMs: 1, sandboxMs: 2, initMs: 3, bytesFetched: 4 },
      ended: ended.promise,
      stop,
      invoke: (invoke) => {
        const answer = run(invoke.payload);
        return { answer, settled: answer.then(() => sleep(1)).then(() => !stopped) };
      },
    };
  }
}

function region(t: TestContext, more: Partial<AssignmentOptions> = {}) {
  const host = new FakeHost();
  const service = new AssignmentService({
    host,
    concurrency: { of: () => ({ account: 1000, reservedTotal: 0 }) },
    clock: systemClock,
    random: new SeededRandom(7),
    logger: noLogger,
    ...more,
  });
  t.after(async () => {
    await service.close();
    assert.equal(host.up, 0, 'no sandbox is left after close');
  });
  const template = templateOf('f');
  let requests = 0;
  const invoke = (more: Partial<InvokeRequest> = {}) =>
    service.invoke({
      template,
      requestId: `r-${++requests}`,
      payload: Buffer.from(String(requests)),
      ...more,
    });
  return { host, service, invoke };
}

describe('the assignment service', () => {
  test('starts a sandbox once and lends it again', async (t) => {
    const { host, invoke } = region(t);
    const cold = await invoke();
    assert.equal(cold.timings.coldStart, true);
    assert.equal(cold.timings.initMs, 3);
    assert.ok(cold.timings.leaseMs >= host.startMs - 1);
    const warm = await invoke();
    assert.equal(warm.timings.coldStart, false);
    assert.equal(warm.timings.initMs, 0);
    assert.equal(warm.executedVersion, '$LATEST');
    assert.match(warm.payload.toString(), /^f:2:/);
    assert.equal(host.starts, 1);
  });

  test('counts what functions use', async (t) => {
    const usage = new UsageLedger();
    const { invoke } = region(t, { usage });
    await invoke();
    await invoke();
    const [used] = usage.usage('000000000000');
    assert.deepEqual([used?.invocations, used?.coldStarts, used?.billedMs], [2, 1, 10]);
    assert.equal(used?.gbMs, 10 / 8);
  });

  test('200 parallel callers never pass a reservation, not by one', async (t) => {
    const limits = { account: 1000, reservedTotal: 7, reserved: 7 };
    const { host, invoke } = region(t, { concurrency: { of: () => limits } });
    const settled = await Promise.allSettled(Array.from({ length: 200 }, () => invoke()));
    const ok = settled.filter((each) => each.status === 'fulfilled').length;
    assert.equal(ok, 7);
    for (const each of settled) {
      if (each.status === 'fulfilled') continue;
      assert.ok(isSluiceError(each.reason, 'CONCURRENCY_LIMIT_EXCEEDED'));
      assert.equal(each.reason.data['reason'], 'ReservedFunctionConcurrentInvocationLimitExceeded');
    }
    assert.ok(host.mostAtWork <= 7);
  });

  test('100 parallel first invokes are all answered, by at most as many sandboxes', async (t) => {
    const { host, invoke } = region(t, { limits: { startsPerRegion: 10, startsPerAccount: 10 } });
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => invoke()));
    assert.equal(new Set(outcomes.map((each) => each.payload.toString().split(':')[1])).size, 100);
    assert.ok(host.starts <= 100);
  });

  test('100 parallel first invokes are answered also by a worker that starts 8 at once', async (t) => {
    const { host, invoke } = region(t);
    host.startsAtOnce = 8;
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => invoke()));
    assert.equal(outcomes.length, 100);
    assert.ok(host.up <= 100);
  });

  test('a start that fails by our fault fails one invoke, and the next starts anew', async (t) => {
    const { host, invoke } = region(t);
    host.fail = (n) => (n === 0 ? new Error('no memory') : undefined);
    await assert.rejects(invoke(), (error) => isSluiceError(error, 'SANDBOX_START_FAILED'));
    assert.equal((await invoke()).status, 'ok');
  });

  test('a sandbox that dies while idle is not lent', async (t) => {
    const { host, service, invoke } = region(t);
    await invoke();
    await eventually(() => service.stats().idle === 1);
    host.kill[0]?.();
    await eventually(() => service.stats().sandboxes === 0);
    assert.equal((await invoke()).timings.coldStart, true);
  });

  test('an invoke whose caller has gone waits no longer', async (t) => {
    const { host, service, invoke } = region(t);
    host.startMs = 50;
    const controller = new AbortController();
    const waiting = invoke({ signal: controller.signal });
    controller.abort(new SluiceError('CANCELLED', 'the caller has gone'));
    await assert.rejects(waiting, (error) => isSluiceError(error, 'CANCELLED'));
    assert.equal(service.stats().inFlight, 0);
  });

  test('an idle sandbox is stopped after its time', async (t) => {
    const { host, invoke } = region(t, { limits: { idleMs: 30 } });
    await invoke();
    await eventually(() => host.up === 0);
  });

  test('a new revision gets a sandbox of its own, and a drain ends the old', async (t) => {
    const { host, service, invoke } = region(t);
    await invoke();
    const changed = await invoke({ template: templateOf('f', { revision: '2' }) });
    assert.equal(changed.timings.coldStart, true);
    await eventually(() => service.stats().idle === 2);
    await service.drainVersion(`${templateOf('f').functionArn}:$LATEST`);
    assert.equal(host.up, 0);
  });

  test('close refuses new invokes, lets running ones end, and stops what starts', async (t) => {
    const { host, service, invoke } = region(t);
    await invoke();
    host.runMs = 30;
    const running = invoke();
    const closing = service.close(1000);
    await assert.rejects(invoke(), (error) => isSluiceError(error, 'OVERLOADED'));
    assert.equal((await running).status, 'ok');
    await closing;
    assert.equal(host.up, 0);
  });
});
