import {
  assert,
  type Clock,
  isSluiceError,
  noMeter,
  type SluiceError,
  type Timer,
  toSluiceError,
} from '../base/mod.ts';
import { AssignmentMetrics } from './metrics.ts';
import {
  type AssignmentOptions,
  type AssignmentStats,
  defaultAssignmentLimits,
  statsOf,
} from './options.ts';
import { outcomeOf, refusalError } from './outcome.ts';
import { type ProvisionedStatus, provisionedStatus } from './provisioned-status.ts';
import { SandboxRegistry } from './sandbox-registry.ts';
import {
  type AssignmentEffect,
  type AssignmentEvent,
  type AssignmentState,
  createState,
  nextTickMs,
  type RefusalReason,
} from './state.ts';
import { step } from './step.ts';
import type { ConcurrencyLimits, InvokeOutcome, InvokeRequest, SandboxTemplate } from './types.ts';
import { UsageLedger } from './usage.ts';
import { VersionKeys } from './version-keys.ts';

interface Call {
  readonly request: InvokeRequest;
  readonly calledAtMs: number;
  readonly resolve: (outcome: InvokeOutcome) => void;
  readonly reject: (error: unknown) => void;
  readonly onAbort: (() => void) | undefined;
}

/** Carries out what the assignment's state machine decides: lends sandboxes to invokes. */
export class AssignmentService {
  readonly #clock: Clock;
  readonly #concurrency: ConcurrencyLimits;
  readonly #state: AssignmentState;
  readonly #registry: SandboxRegistry;
  readonly #metrics: AssignmentMetrics;
  readonly #usage: UsageLedger;
  readonly #calls = new Map<number, Call>();
  readonly #keys = new VersionKeys();
  #timer: Timer | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #invokesEver = 0;

  constructor(options: AssignmentOptions) {
    this.#clock = options.clock;
    this.#concurrency = options.concurrency;
    this.#metrics = new AssignmentMetrics(options.meter ?? noMeter, options.clock);
    this.#usage = options.usage ?? new UsageLedger();
    // Ids of an earlier life's sandboxes must never come back, so each life has its own prefix.
    const prefix = `s${options.random.uuid().slice(0, 8)}`;
    this.#state = createState({ ...defaultAssignmentLimits, ...options.limits }, prefix);
    this.#registry = new SandboxRegistry(options.host, options.logger, {
      started: (sandboxId, initFailed) =>
        this.#dispatch({ type: 'started', sandboxId, initFailed }),
      startFailed: (sandboxId, error) => {
        const limited = isSluiceError(error, 'START_LIMIT_EXCEEDED');
        this.#dispatch({ type: 'start-failed', sandboxId, limited }, error);
      },
      ended: (sandboxId) => this.#dispatch({ type: 'ended', sandboxId }),
    });
  }

  /**
   * Runs one event on a sandbox of its function version, starting one if none is idle. Rejects
   * with `CONCURRENCY_LIMIT_EXCEEDED` or `START_LIMIT_EXCEEDED` (`data.reason` says which one, in
   * the words of the API's 429), and with what kept a sandbox from starting.
   */
  invoke(request: InvokeRequest): Promise<InvokeOutcome> {
    const { template, signal } = request;
    if (signal?.aborted) return Promise.reject(toSluiceError(signal.reason, 'CANCELLED'));
    const invokeId = ++this.#invokesEver;
    const version = this.#keys.of(template);
    const { accountId, functionArn } = template;
    const inForce = request.concurrency ?? this.#concurrency.of(accountId, functionArn);
    return new Promise((resolve, reject) => {
      const onAbort = signal && (() => this.#cancel(invokeId, signal));
      if (onAbort) signal.addEventListener('abort', onAbort, { once: true });
      const calledAtMs = this.#clock.monotonicMs();
      this.#calls.set(invokeId, { request, calledAtMs, resolve, reject, onAbort });
      this.#dispatch({ type: 'invoke', invokeId, version, limits: inForce });
    });
  }

  /**
   * Ends the idle sandboxes of a version that was deleted or updated, and the busy ones after
   * their invoke. Resolves when what was idle is gone.
   */
  async drainVersion(functionVersionArn: string): Promise<void> {
    this.#dispatch({ type: 'drain', versionArn: functionVersionArn });
    await this.#registry.stopped();
  }

  /**
   * Keeps `count` sandboxes of the version ready from now on, until the next call or the version
   * is drained. They serve before any other, and do not count against the account's unreserved
   * concurrency.
   */
  provision(template: SandboxTemplate, count: number): void {
    this.#dispatch({ type: 'provision', version: this.#keys.of(template), count });
  }

  provisioned(template: SandboxTemplate): ProvisionedStatus {
    return provisionedStatus(this.#state.versions.get(this.#keys.of(template).key));
  }

  /** Stops idle sandboxes, longest unused first, to give their memory back. */
  reclaim(count: number): void {
    this.#dispatch({ type: 'reclaim', count });
  }

  /** Refuses new invokes, lets running ones end for at most `graceMs`, then stops everything. */
  async close(graceMs = 0): Promise<void> {
    this.#dispatch({ type: 'close', force: graceMs <= 0 });
    const untilMs = this.#clock.monotonicMs() + graceMs;
    while (this.#calls.size > 0 && this.#clock.monotonicMs() < untilMs) await this.#clock.sleep(10);
    this.#dispatch({ type: 'close', force: true });
    await this.#registry.close();
    this.#timer?.cancel();
    this.#metrics.close();
    assert(this.#registry.size === 0, 'no sandbox is left after close');
  }

  stats(): AssignmentStats {
    return statsOf(this.#state);
  }

  #dispatch(event: AssignmentEvent, startError?: SluiceError): void {
    const nowMs = this.#clock.monotonicMs();
    const { effects } = step(this.#state, event, nowMs);
    for (const effect of effects) this.#carryOut(effect, startError);
    this.#metrics.changed(this.#state);
    this.#armTimer(nowMs);
  }

  #armTimer(nowMs: number): void {
    const dueMs = nextTickMs(this.#state);
    if (dueMs === undefined || dueMs >= this.#timerDueMs) return;
    this.#timer?.cancel();
    this.#timerDueMs = dueMs;
    this.#timer = this.#clock.setTimer(Math.max(1, dueMs - nowMs), () => {
      this.#timerDueMs = Number.POSITIVE_INFINITY;
      this.#dispatch({ type: 'tick' });
    });
  }

  #carryOut(effect: AssignmentEffect, startError: SluiceError | undefined): void {
    switch (effect.type) {
      case 'lend':
        this.#lend(effect.sandboxId, effect.invokeId);
        break;
      case 'start':
        this.#registry.start(
          effect.sandboxId,
          effect.version.template,
          effect.provisioned ? 'provisioned-concurrency' : 'on-demand',
        );
        break;
      case 'stop':
        this.#registry.stop(effect.sandboxId);
        break;
      case 'fail':
        if (isSluiceError(startError, 'START_LIMIT_EXCEEDED')) {
          this.#refuse(effect.invokeId, 'starts-per-worker');
        } else {
          this.#metrics.failed();
          this.#take(effect.invokeId).reject(startError);
        }
        break;
      case 'refuse':
        this.#refuse(effect.invokeId, effect.reason);
        break;
    }
  }

  #refuse(invokeId: number, reason: RefusalReason): void {
    const call = this.#take(invokeId);
    const { accountId, functionArn } = call.request.template;
    this.#metrics.refused(reason);
    this.#usage.throttled(accountId, functionArn);
    call.reject(refusalError(functionArn, reason));
  }

  #take(invokeId: number): Call {
    const call = this.#calls.get(invokeId);
    assert(call, `invoke ${invokeId} is answered once`);
    this.#calls.delete(invokeId);
    if (call.onAbort) call.request.signal?.removeEventListener('abort', call.onAbort);
    return call;
  }

  #cancel(invokeId: number, signal: AbortSignal): void {
    if (!this.#state.invokes.get(invokeId)?.waitingNode) return;
    this.#dispatch({ type: 'cancelled', invokeId });
    this.#take(invokeId).reject(toSluiceError(signal.reason, 'CANCELLED'));
  }

  #lend(sandboxId: string, invokeId: number): void {
    const call = this.#calls.get(invokeId);
    const lease = this.#registry.lease(sandboxId);
    assert(lease && call, `${sandboxId}: a lease has a sandbox and an invoke`);
    const { request } = call;
    const { template } = request;
    const leaseMs = this.#clock.monotonicMs() - call.calledAtMs;
    const start = lease.first ? lease.sandbox.timings : undefined;
    const { answer, settled } = lease.sandbox.invoke({
      requestId: request.requestId,
      payload: request.payload,
      invokedFunctionArn: request.invokedFunctionArn ?? template.functionArn,
      traceId: request.traceId,
      clientContext: request.clientContext,
      logTail: request.logTail ?? false,
      sink: request.sink,
    });
    const facts = { executedVersion: template.version, leaseMs, start };
    void answer.then(
      (given) => this.#answered(invokeId, sandboxId, outcomeOf(given, facts)),
      (error) => this.#failed(invokeId, sandboxId, error),
    );
    void settled.then((again) => this.#dispatch({ type: again ? 'settled' : 'ended', sandboxId }));
  }

  #answered(invokeId: number, sandboxId: string, outcome: InvokeOutcome): void {
    const call = this.#take(invokeId);
    this.#dispatch({ type: 'answered', invokeId, sandboxId });
    const { accountId, functionArn, memoryMb } = call.request.template;
    const { coldStart, durationMs } = outcome.timings;
    const failed = outcome.status === 'function-error';
    this.#usage.invoked({ accountId, functionArn, memoryMb, durationMs, coldStart, failed });
    this.#metrics.answered(outcome);
    call.resolve(outcome);
  }

  #failed(invokeId: number, sandboxId: string, error: unknown): void {
    const call = this.#take(invokeId);
    this.#dispatch({ type: 'answered', invokeId, sandboxId });
    this.#metrics.failed();
    call.reject(toSluiceError(error));
  }
}
