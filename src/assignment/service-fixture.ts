import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { noLogger, SeededRandom, SluiceError, systemClock } from '../base/mod.ts';
import type { AssignmentOptions } from './options.ts';
import { AssignmentService } from './service.ts';
import type {
  HostedSandbox,
  InvokeRequest,
  SandboxAnswer,
  SandboxHost,
  SandboxTemplate,
} from './types.ts';

export const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A busy machine is late, not wrong. */
export async function eventually(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 20_000 && !holds(); i++) await sleep(5);
  assert.ok(holds());
}

export function templateOf(name: string, more: Partial<SandboxTemplate> = {}): SandboxTemplate {
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
export class FakeHost implements SandboxHost {
  startMs = 5;
  runMs = 5;
  up = 0;
  starts = 0;
  starting = 0;
  mostStarting = 0;
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
    this.mostStarting = Math.max(this.mostStarting, ++this.starting);
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

/** A service over such a worker; its `invoke` calls one function. */
export function region(t: TestContext, more: Partial<AssignmentOptions> = {}) {
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
