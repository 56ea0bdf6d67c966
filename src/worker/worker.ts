import type {
  Lease,
  StartOrder,
  WorkerControl,
  WorkerListener,
  WorkerReport,
} from '../assignment/mod.ts';
import { limits, SluiceError, type Timer } from '../base/mod.ts';
import type { Invocation } from '../runtime/mod.ts';
import { type Hosted, leaseVerdict, reportOf } from './hosted.ts';
import type { HostMemory } from './memory-watch.ts';
import { SandboxStarter, type SandboxStarterOptions } from './sandbox-starter.ts';
import type { TemplateSource } from './template.ts';
import type { InvokeOutcome } from './types.ts';
import type { WorkerSandbox } from './worker-sandbox.ts';

export interface WorkerOptions extends SandboxStarterOptions {
  readonly workerId?: string;
  readonly templates: TemplateSource;
  /** Read for each report; absent: reports say that none is free. */
  readonly memory?: HostMemory;
  /** Cold starts at once; one more is refused. */
  readonly coldStartsAtOnce?: number;
}

/**
 * Runs sandboxes on this host, for whoever leads. It lends a sandbox to one lease at a time, and to
 * none of an older term than it has seen, whatever it is told: so two leaders can waste each
 * other's time and never share a sandbox.
 */
export class Worker implements WorkerControl {
  readonly workerId: string;
  readonly address = '';
  readonly #options: WorkerOptions;
  readonly #starter: SandboxStarter;
  readonly #coldStartsAtOnce: number;
  readonly #hosted = new Map<string, Hosted>();
  readonly #starting = new Set<string>();
  #term = 0;
  #listener: WorkerListener | undefined;
  #timer: Timer | undefined;
  #freeMemoryBytes = 0;
  #closed = false;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.workerId = options.workerId ?? 'local';
    this.#starter = new SandboxStarter(options);
    this.#coldStartsAtOnce = options.coldStartsAtOnce ?? limits.worker.coldStartsAtOnce;
  }

  /** Sandboxes that are up, or not yet cleared away. */
  get sandboxes(): number {
    return this.#hosted.size;
  }

  /** Tells `listener` from now on what becomes of sandboxes, and every moment what there is. */
  listen(listener: WorkerListener): void {
    this.#listener = listener;
    this.#report();
  }

  /** Rejects with `START_LIMIT_EXCEEDED`, `SANDBOX_START_FAILED`, or what the device met. */
  async start(order: StartOrder, signal: AbortSignal): Promise<{ readonly initFailed: boolean }> {
    const { sandboxId, version, initializationType, term } = order;
    this.#term = Math.max(this.#term, term);
    if (this.#starting.size >= this.#coldStartsAtOnce) {
      throw new SluiceError(
        'START_LIMIT_EXCEEDED',
        `${version.functionArn}: this worker starts ${this.#coldStartsAtOnce} sandboxes already`,
        { data: { reason: 'ConcurrentInvocationLimitExceeded', limit: 'starts-per-worker' } },
      );
    }
    this.#starting.add(sandboxId);
    try {
      const template = await this.#options.templates.find(version);
      const options = { sandboxId, initializationType, signal };
      const sandbox = await this.#starter.start(template, options);
      this.#host(sandbox, version.key);
      return { initFailed: sandbox.initFailed };
    } finally {
      this.#starting.delete(sandboxId);
    }
  }

  /**
   * Runs an event on the sandbox of its lease. Rejects with `LEASE_REFUSED` (`data.verdict` says
   * why) if the sandbox has not seen the event and never will; any other rejection is our fault,
   * and the event may have run.
   */
  invoke(lease: Lease, invocation: Invocation): Promise<InvokeOutcome> {
    const hosted = this.#hosted.get(lease.sandboxId);
    const verdict = leaseVerdict(hosted, lease, this.#term);
    if (verdict || !hosted) {
      const message = `${lease.sandboxId}: lease ${lease.leaseId} is refused`;
      const data = { verdict: verdict ?? 'gone' };
      return Promise.reject(new SluiceError('LEASE_REFUSED', message, { data }));
    }
    this.#term = Math.max(this.#term, lease.term);
    hosted.lease = lease;
    hosted.busy = true;
    const { answer, settled } = hosted.sandbox.invoke(invocation);
    const answered = () => this.#listener?.release(lease, 'answered');
    answer.then(answered, answered);
    void settled.then((again) => {
      if (!again) return;
      hosted.busy = false;
      this.#listener?.release(lease, 'settled');
    });
    return answer;
  }

  async stop(sandboxId: string): Promise<void> {
    const hosted = this.#hosted.get(sandboxId);
    if (!hosted) return;
    hosted.ended = true;
    await hosted.sandbox.stop();
  }

  /** Stops whatever still runs. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await Promise.all([...this.#hosted.keys()].map((sandboxId) => this.stop(sandboxId)));
  }

  /** What it has at this moment. */
  report(): WorkerReport {
    const { workerId, address } = this;
    const starting = [...this.#starting].map((sandboxId) => {
      return { sandboxId, phase: 'starting' as const, lease: undefined };
    });
    const up = [...this.#hosted.values()]
      .filter(({ ended, sandbox }) => !ended && !this.#starting.has(sandbox.sandboxId))
      .map(reportOf);
    return {
      workerId,
      address,
      draining: this.#closed,
      freeMemoryBytes: this.#freeMemoryBytes,
      startsUnderWay: this.#starting.size,
      sandboxes: [...starting, ...up],
    };
  }

  #report(): void {
    this.#listener?.reported(this.report());
    if (this.#closed) return;
    const { clock } = this.#options;
    this.#timer?.cancel();
    this.#timer = clock.setTimer(limits.worker.reportMs, () => {
      void this.#readMemory().then(() => this.#report());
    });
  }

  async #readMemory(): Promise<void> {
    try {
      this.#freeMemoryBytes = (await this.#options.memory?.availableBytes()) ?? 0;
    } catch (error) {
      const { workerId } = this;
      this.#options.logger.warn({ workerId, error }, 'free memory is not known');
    }
  }

  #host(sandbox: WorkerSandbox, versionKey: string): void {
    const { sandboxId } = sandbox;
    const hosted: Hosted = { sandbox, versionKey, lease: undefined, busy: false, ended: false };
    this.#hosted.set(sandboxId, hosted);
    void sandbox.ended.then(() => {
      hosted.ended = true;
      this.#listener?.ended(sandboxId);
    });
    void sandbox.cleared.then(() => this.#hosted.delete(sandboxId));
  }
}
