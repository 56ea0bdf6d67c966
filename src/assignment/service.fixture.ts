import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { noLogger, SeededRandom, SluiceError, VirtualClock } from '../base/mod.ts';
import type { AssignmentOptions } from './options.ts';
import { AssignmentService } from './service.ts';
import {
  type AcquireRequest,
  type Lease,
  type StartOrder,
  type VersionRef,
  versionRef,
  type WorkerControl,
} from './types.ts';

export function versionNamed(name: string, revision = '1'): VersionRef {
  const functionArn = `arn:aws:lambda:us-east-1:000000000000:function:${name}`;
  const versionArn = `${functionArn}:$LATEST`;
  const accountId = '000000000000';
  return versionRef({ versionArn, functionArn, accountId, revision, memoryMb: 128 });
}

/** A worker whose sandboxes take some time to start and to run, and keep count of what they do. */
export class FakeWorker implements WorkerControl {
  readonly workerId = 'w1';
  readonly address = '';
  startMs = 5;
  runMs = 5;
  starts = 0;
  starting = 0;
  mostStarting = 0;
  startsAtOnce = Number.POSITIVE_INFINITY;
  mostAtWork = 0;
  atWork = 0;
  /** Whether inits fail by the function's fault. */
  initFailed = false;
  fail: ((n: number) => Error | undefined) | undefined;
  /** Sandboxes that are up, and the lease that each works for. */
  readonly up = new Map<string, number | undefined>();
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  async start({ sandboxId }: StartOrder, signal: AbortSignal) {
    if (this.starting >= this.startsAtOnce) {
      throw new SluiceError('START_LIMIT_EXCEEDED', 'this worker starts enough already');
    }
    const n = this.starts++;
    this.mostStarting = Math.max(this.mostStarting, ++this.starting);
    const error = this.fail?.(n);
    try {
      await this.#clock.sleep(this.startMs, signal);
    } finally {
      this.starting--;
    }
    if (error) throw error;
    this.up.set(sandboxId, undefined);
    return { initFailed: this.initFailed };
  }

  async stop(sandboxId: string): Promise<void> {
    await this.#clock.sleep(1);
    this.up.delete(sandboxId);
  }

  /** Has the lease's sandbox at work for `runMs`. */
  async run({ leaseId, sandboxId }: Lease): Promise<void> {
    assert.ok(this.up.has(sandboxId), 'a sandbox that is lent is up');
    assert.equal(this.up.get(sandboxId), undefined, 'a sandbox runs one invoke at a time');
    this.up.set(sandboxId, leaseId);
    this.mostAtWork = Math.max(this.mostAtWork, ++this.atWork);
    await this.#clock.sleep(this.runMs);
    this.atWork--;
    if (this.up.has(sandboxId)) this.up.set(sandboxId, undefined);
  }
}

/** A service over such a worker; its `invoke` calls one function, and resolves when it answers. */
export function region(t: TestContext, more: Partial<AssignmentOptions> = {}) {
  const clock = new VirtualClock(1_700_000_000_000, 0);
  const worker = new FakeWorker(clock);
  const service = new AssignmentService({
    placer: { place: async () => ({ workerId: worker.workerId }) },
    clock,
    random: new SeededRandom(7),
    logger: noLogger,
    ...more,
  });
  service.join(worker);
  t.after(async () => {
    await clock.until(service.close());
    assert.equal(worker.up.size, 0, 'no sandbox is left after close');
  });
  const version = versionNamed('f');
  const allowance = { account: 1000, reservedTotal: 0 };
  const invoke = async (more: Partial<AcquireRequest> = {}, signal?: AbortSignal) => {
    const lease = await service.acquire({ version, allowance, ...more }, signal);
    await worker.run(lease);
    service.release(lease, 'answered');
    void clock.sleep(1).then(() => service.release(lease, 'settled'));
    return lease;
  };
  return { clock, worker, service, invoke };
}
