import type {
  AcquireRequest,
  Lease,
  LeaseOutcome,
  LeaseRef,
  LeaseVerdict,
  VersionRef,
} from '../assignment/mod.ts';
import {
  type Clock,
  isSluiceError,
  limits,
  type Meter,
  noMeter,
  SluiceError,
  toSluiceError,
} from '../base/mod.ts';
import type { Invocation } from '../runtime/mod.ts';
import type { InvokeOutcome } from '../worker/mod.ts';
import type { InvokeCall } from './invoker.ts';
import { DispatchMetrics } from './metrics.ts';
import { UsageLedger } from './usage.ts';
import type { VersionBook } from './version-book.ts';

/** The leader of the function's partition, near or far. */
export interface Leases {
  acquire(request: AcquireRequest, signal?: AbortSignal): Promise<Lease>;
  release(lease: LeaseRef, outcome: LeaseOutcome): void | Promise<void>;
}

/** A worker, as far as it takes events. */
export interface WorkerClient {
  /**
   * Rejects with `LEASE_REFUSED` (`data.verdict` says why) if and only if the sandbox has not seen
   * the event and never will.
   */
  invoke(lease: Lease, invocation: Invocation): Promise<InvokeOutcome>;
}

export interface WorkerDirectory {
  find(workerId: string, address: string): WorkerClient | undefined;
}

export interface DispatcherOptions {
  readonly leases: Leases;
  readonly workers: WorkerDirectory;
  readonly versions: VersionBook;
  readonly clock: Clock;
  readonly meter?: Meter;
  /** Counts what each function uses; not kept if absent. */
  readonly usage?: UsageLedger;
}

const limitCodes: ReadonlySet<string> = new Set([
  'CONCURRENCY_LIMIT_EXCEEDED',
  'START_LIMIT_EXCEEDED',
  'OVERLOADED',
]);

/**
 * Takes a lease for each event and sends the event to the worker that has the sandbox. The leader
 * sees no payload; the worker tells the leader itself when the sandbox is free again.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #metrics: DispatchMetrics;
  readonly #usage: UsageLedger;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#metrics = new DispatchMetrics(options.meter ?? noMeter);
    this.#usage = options.usage ?? new UsageLedger();
  }

  /** As `Invoker` says. */
  async invoke(call: InvokeCall): Promise<InvokeOutcome> {
    const { clock, versions } = this.#options;
    const version = versions.refOf(call.version, call.invocation.tenantId);
    const calledAtMs = clock.monotonicMs();
    let verdict: LeaseVerdict | undefined;
    for (let attempt = 0; attempt < limits.dispatch.attempts; attempt++) {
      const waitedMs = clock.monotonicMs() - calledAtMs;
      // A second lease is waited for no longer than the first would have been.
      const patienceMs =
        attempt === 0 ? undefined : Math.max(0, limits.assignment.waitMs - waitedMs);
      const lease = await this.#acquire(version, call, patienceMs);
      const leaseMs = clock.monotonicMs() - calledAtMs;
      const answer = await this.#send(lease, call.invocation);
      if (typeof answer === 'object') {
        this.#count(version, answer, leaseMs);
        return answer;
      }
      verdict = answer;
    }
    this.#metrics.failed();
    throw new SluiceError('OVERLOADED', `${version.functionArn}: no worker took the event`, {
      data: { limit: 'attempts', verdict },
    });
  }

  async #acquire(
    version: VersionRef,
    { allowance, signal }: InvokeCall,
    patienceMs: number | undefined,
  ): Promise<Lease> {
    try {
      return await this.#options.leases.acquire({ version, allowance, patienceMs }, signal);
    } catch (error) {
      if (isSluiceError(error) && limitCodes.has(error.code)) {
        this.#usage.throttled(version.accountId, version.functionArn);
      } else if (!isSluiceError(error, 'CANCELLED')) this.#metrics.failed();
      throw error;
    }
  }

  /** The outcome, or why the worker did not take the event: then it has not run. */
  async #send(lease: Lease, invocation: Invocation): Promise<InvokeOutcome | LeaseVerdict> {
    const { leases, workers } = this.#options;
    const { workerId, workerAddress } = lease;
    let verdict: LeaseVerdict = 'gone';
    const worker = workers.find(workerId, workerAddress);
    try {
      if (worker) return await worker.invoke(lease, invocation);
    } catch (error) {
      const refusal = verdictOf(error);
      if (!refusal) {
        this.#metrics.failed();
        throw lost(lease, invocation, error);
      }
      verdict = refusal;
    }
    this.#metrics.undelivered(verdict);
    await leases.release(lease, verdict);
    return verdict;
  }

  #count(version: VersionRef, outcome: InvokeOutcome, leaseMs: number): void {
    const { accountId, functionArn, memoryMb } = version;
    const { durationMs, status, start } = outcome;
    this.#metrics.answered(outcome, leaseMs);
    this.#usage.invoked({
      accountId,
      functionArn,
      memoryMb,
      durationMs,
      coldStart: start !== undefined,
      failed: status === 'function-error',
    });
  }
}

function verdictOf(error: unknown): LeaseVerdict | undefined {
  if (!isSluiceError(error, 'LEASE_REFUSED')) return undefined;
  const verdict = error.data['verdict'];
  return verdict === 'busy' || verdict === 'superseded' ? verdict : 'gone';
}

/** The worker had the event: nobody may send it again without being asked to. */
function lost(lease: Lease, { requestId }: Invocation, cause: unknown): SluiceError {
  const { code } = toSluiceError(cause);
  const message = `${requestId}: the answer was lost, and the event may have run`;
  return new SluiceError('INVOKE_LOST', message, {
    cause,
    data: { sandboxId: lease.sandboxId, reason: code },
  });
}
