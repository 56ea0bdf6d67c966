import {
  assert,
  type Clock,
  noMeter,
  type Random,
  SluiceError,
  toSluiceError,
} from '../base/mod.ts';
import type { AssignmentEffect } from './events.ts';
import { Leader } from './leader.ts';
import { AssignmentMetrics } from './metrics.ts';
import {
  type AssignmentOptions,
  type AssignmentStats,
  defaultAssignmentLimits,
  statsOf,
} from './options.ts';
import { type ProvisionedStatus, provisionedStatus } from './provisioned-status.ts';
import { refusalError } from './refusal.ts';
import type {
  AcquireRequest,
  Lease,
  LeaseOutcome,
  LeaseRef,
  VersionRef,
  WorkerControl,
  WorkerListener,
  WorkerReport,
} from './types.ts';

interface Call {
  readonly version: VersionRef;
  readonly resolve: (lease: Lease) => void;
  readonly reject: (error: unknown) => void;
  /** No longer listens to the caller's signal; absent while it was never waited for. */
  unlisten: (() => void) | undefined;
}

/** The first leader of a partition that has no other. */
const FIRST_TERM = 1;

/**
 * Carries out what the assignment's state machine decides: lends sandboxes to whoever asks, and has
 * workers start and stop them. It sees who may run what, and nothing of what is run.
 */
export class AssignmentService implements WorkerListener {
  readonly #clock: Clock;
  readonly #leader: Leader;
  readonly #metrics: AssignmentMetrics;
  readonly #calls = new Map<number, Call>();
  #leasesEver = 0;

  constructor(options: AssignmentOptions) {
    const { clock, logger, placer, meter = noMeter } = options;
    this.#clock = clock;
    this.#metrics = new AssignmentMetrics(meter, clock);
    this.#leader = new Leader({
      placer,
      clock,
      logger,
      limits: { ...defaultAssignmentLimits, ...options.limits },
      answers: {
        lend: (effect) => this.#lend(effect),
        refuse: ({ leaseId, reason }) => {
          const call = this.#take(leaseId);
          this.#metrics.refused(reason);
          call.reject(refusalError(call.version.functionArn, reason));
        },
        fail: ({ leaseId, error: { code, message, data } }) =>
          this.#take(leaseId).reject(new SluiceError(code, message, { data })),
        changed: () => this.#metrics.changed(this.#leader.state),
      },
    });
    const idPrefix = prefixOf(options.random);
    this.#leader.do({ type: 'elected', atMs: this.#leader.nowMs(), term: FIRST_TERM, idPrefix });
  }

  /** From now on starts may be placed there. */
  join(worker: WorkerControl): void {
    const { workerId, address } = worker;
    this.#leader.orders.join(worker);
    this.#leader.do({ type: 'worker-joined', atMs: this.#leader.nowMs(), workerId, address });
  }

  /** The worker is gone, and its sandboxes with it. */
  leave(workerId: string): void {
    this.#leader.orders.leave(workerId);
    this.#leader.do({ type: 'worker-left', atMs: this.#leader.nowMs(), workerId });
  }

  /**
   * Lends a sandbox of the version, starting one if none is idle. Rejects with
   * `CONCURRENCY_LIMIT_EXCEEDED` or `START_LIMIT_EXCEEDED` (`data.reason` says which one, in the
   * words of the API's 429), and with what kept a sandbox from starting. The signal ends the wait.
   */
  acquire(request: AcquireRequest, signal?: AbortSignal): Promise<Lease> {
    if (signal?.aborted) return Promise.reject(toSluiceError(signal.reason, 'CANCELLED'));
    const { version, allowance, patienceMs } = request;
    const leaseId = ++this.#leasesEver;
    return new Promise((resolve, reject) => {
      const call: Call = { version, resolve, reject, unlisten: undefined };
      this.#calls.set(leaseId, call);
      const atMs = this.#leader.nowMs();
      this.#leader.do({ type: 'acquire', atMs, leaseId, version, allowance, patienceMs });
      if (!signal || !this.#calls.has(leaseId)) return;
      const onAbort = () => this.#cancel(leaseId, signal);
      signal.addEventListener('abort', onAbort, { once: true });
      call.unlisten = () => signal.removeEventListener('abort', onAbort);
    });
  }

  /** How a lease went on. Reports about a lease that is already over change nothing. */
  release({ sandboxId, leaseId, term }: LeaseRef, outcome: LeaseOutcome): void {
    const atMs = this.#leader.nowMs();
    if (outcome === 'answered' || outcome === 'settled') {
      this.#leader.do({ type: outcome, atMs, sandboxId, leaseId, term });
      return;
    }
    this.#leader.do({ type: 'undelivered', atMs, sandboxId, leaseId, term, verdict: outcome });
  }

  ended(sandboxId: string): void {
    this.#leader.do({ type: 'died', atMs: this.#leader.nowMs(), sandboxId });
  }

  reported({ workerId, sandboxes }: WorkerReport): void {
    this.#leader.do({ type: 'worker-report', atMs: this.#leader.nowMs(), workerId, sandboxes });
  }

  /**
   * Ends the idle sandboxes of a version that was deleted or updated, and the busy ones after
   * their invoke. Resolves when what was idle is gone.
   */
  async drainVersion(versionArn: string): Promise<void> {
    for (const version of this.#leader.state.versionsByArn.get(versionArn) ?? []) {
      if (version.provisionedTarget > 0) await this.provision(version.ref, 0);
    }
    this.#leader.do({ type: 'drain', atMs: this.#leader.nowMs(), versionArn });
    await this.#leader.orders.stopped();
  }

  /**
   * Keeps `count` sandboxes of the version ready from now on, until the next call or the version
   * is drained. They serve before any other, and do not count against the account's unreserved
   * concurrency.
   */
  async provision(version: VersionRef, count: number): Promise<void> {
    this.#leader.do({ type: 'provisioned', atMs: this.#leader.nowMs(), version, count });
  }

  async provisioned(version: VersionRef): Promise<ProvisionedStatus> {
    return provisionedStatus(this.#leader.state.versions.get(version.key));
  }

  /** Stops idle sandboxes, longest unused first, to give their memory back. */
  reclaim(count: number): void {
    this.#leader.do({ type: 'reclaim', atMs: this.#leader.nowMs(), count });
  }

  /** Refuses new invokes, lets running ones end for at most `graceMs`, then stops everything. */
  async close(graceMs = 0): Promise<void> {
    this.#leader.do({ type: 'close', atMs: this.#leader.nowMs(), force: false });
    const untilMs = this.#clock.monotonicMs() + graceMs;
    while (this.#leader.state.inFlight > 0 && this.#clock.monotonicMs() < untilMs) {
      await this.#clock.sleep(10);
    }
    this.#leader.do({ type: 'close', atMs: this.#leader.nowMs(), force: true });
    await this.#leader.close();
    this.#metrics.close();
    assert(this.#leader.state.sandboxes.size === 0, 'no sandbox is left after close');
  }

  stats(): AssignmentStats {
    return statsOf(this.#leader.state);
  }

  #lend(effect: AssignmentEffect & { type: 'lend' }): void {
    const { leaseId, workerId, workerAddress, sandboxId, coldStart, pool } = effect;
    const { version, resolve } = this.#take(leaseId);
    const { term } = this.#leader.state;
    resolve({ leaseId, term, workerId, workerAddress, sandboxId, version, coldStart, pool });
  }

  #take(leaseId: number): Call {
    const call = this.#calls.get(leaseId);
    assert(call, `lease ${leaseId} is given once`);
    this.#calls.delete(leaseId);
    call.unlisten?.();
    return call;
  }

  #cancel(leaseId: number, signal: AbortSignal): void {
    if (!this.#calls.has(leaseId)) return;
    this.#leader.do({ type: 'cancelled', atMs: this.#leader.nowMs(), leaseId });
    this.#take(leaseId).reject(toSluiceError(signal.reason, 'CANCELLED'));
  }
}

/** Ids of an earlier life's sandboxes must never come back, so each life has its own prefix. */
function prefixOf(random: Random): string {
  return `s${random.uuid().slice(0, 8)}`;
}
