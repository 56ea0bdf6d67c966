import {
  assert,
  type Clock,
  type Logger,
  limits,
  type Random,
  type SluiceError,
  type Timer,
  toSluiceError,
} from '../base/mod.ts';
import { outcomeOf, refusalError } from './outcome.ts';
import { SandboxRegistry } from './sandbox-registry.ts';
import {
  type AssignmentEffect,
  type AssignmentEvent,
  type AssignmentLimits,
  type AssignmentState,
  createState,
  nextTickMs,
  type VersionKey,
} from './state.ts';
import { step } from './step.ts';
import type {
  ConcurrencyLimits,
  InvokeOutcome,
  InvokeRequest,
  SandboxHost,
  SandboxTemplate,
} from './types.ts';

export const defaultAssignmentLimits: AssignmentLimits = {
  startsPerRegion: limits.assignment.startsPerRegion,
  startsPerAccount: limits.assignment.startsPerAccount,
  sandboxes: limits.worker.sandboxes,
  waitingPerVersion: limits.worker.waitingInvokes,
  waitMs: limits.assignment.waitMs,
  settleMs: limits.assignment.settleMs,
  idleMs: limits.worker.idleMs,
  startsPerFunctionBurst: limits.assignment.startsPerFunctionBurst,
  startsPerFunctionPerSecond: limits.assignment.startsPerFunctionPerSecond,
};

interface Call {
  readonly request: InvokeRequest;
  readonly calledAtMs: number;
  readonly resolve: (outcome: InvokeOutcome) => void;
  readonly reject: (error: unknown) => void;
  readonly onAbort: (() => void) | undefined;
}

/** What the leader holds, for metrics and the dashboard. */
export interface AssignmentStats {
  readonly sandboxes: number;
  readonly idle: number;
  readonly starting: number;
  readonly waiting: number;
  readonly inFlight: number;
}

/** In the API's own words for the status. */
export interface ProvisionedStatus {
  readonly requested: number;
  readonly allocated: number;
  readonly available: number;
  readonly status: 'READY' | 'IN_PROGRESS' | 'FAILED';
}

export interface AssignmentOptions {
  readonly host: SandboxHost;
  readonly concurrency: ConcurrencyLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly limits?: Partial<AssignmentLimits>;
}

/** Carries out what the assignment's state machine decides: lends sandboxes to invokes. */
export class AssignmentService {
  readonly #clock: Clock;
  readonly #concurrency: ConcurrencyLimits;
  readonly #state: AssignmentState;
  readonly #registry: SandboxRegistry;
  readonly #calls = new Map<number, Call>();
  readonly #keys = new WeakMap<SandboxTemplate, VersionKey>();
  #timer: Timer | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #invokesEver = 0;

  constructor(options: AssignmentOptions) {
    this.#clock = options.clock;
    this.#concurrency = options.concurrency;
    // Ids of an earlier life's sandboxes must never come back, so each life has its own prefix.
    const prefix = `s${options.random.uuid().slice(0, 8)}`;
    this.#state = createState({ ...defaultAssignmentLimits, ...options.limits }, prefix);
    this.#registry = new SandboxRegistry(options.host, options.logger, {
      started: (sandboxId, initFailed) =>
        this.#dispatch({ type: 'started', sandboxId, initFailed }),
      startFailed: (sandboxId, error) => this.#dispatch({ type: 'start-failed', sandboxId }, error),
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
    const version = this.#versionKey(template);
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
    this.#dispatch({ type: 'provision', version: this.#versionKey(template), count });
  }

  provisioned(template: SandboxTemplate): ProvisionedStatus {
    const version = this.#state.versions.get(this.#versionKey(template).key);
    const requested = version?.provisionedTarget ?? 0;
    const allocated = version?.provisionedUp ?? 0;
    const available = Math.max(0, allocated - (version?.provisionedInFlight ?? 0));
    const failed = (version?.provisionFailed ?? false) && allocated < requested;
    const status = failed ? 'FAILED' : allocated < requested ? 'IN_PROGRESS' : 'READY';
    return { requested, allocated, available, status };
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
    assert(this.#registry.size === 0, 'no sandbox is left after close');
  }

  stats(): AssignmentStats {
    const state = this.#state;
    return {
      sandboxes: state.sandboxes.size,
      idle: state.allIdle.length,
      starting: state.starting,
      waiting: state.allWaiting.length,
      inFlight: state.invokes.size,
    };
  }

  #versionKey(template: SandboxTemplate): VersionKey {
    const known = this.#keys.get(template);
    if (known) return known;
    const { functionArn, accountId, version, revision } = template;
    const versionArn = `${functionArn}:${version}`;
    const key = { key: `${versionArn}#${revision}`, versionArn, functionArn, accountId, template };
    this.#keys.set(template, key);
    return key;
  }

  #dispatch(event: AssignmentEvent, startError?: SluiceError): void {
    const nowMs = this.#clock.monotonicMs();
    const { effects } = step(this.#state, event, nowMs);
    for (const effect of effects) this.#carryOut(effect, startError);
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
        this.#take(effect.invokeId).reject(startError);
        break;
      case 'refuse': {
        const call = this.#take(effect.invokeId);
        call.reject(refusalError(call.request.template.functionArn, effect.reason));
        break;
      }
    }
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
      (given) => this.#answered(invokeId, sandboxId).resolve(outcomeOf(given, facts)),
      (error) => this.#answered(invokeId, sandboxId).reject(toSluiceError(error)),
    );
    void settled.then((again) => this.#dispatch({ type: again ? 'settled' : 'ended', sandboxId }));
  }

  #answered(invokeId: number, sandboxId: string): Call {
    const call = this.#take(invokeId);
    this.#dispatch({ type: 'answered', invokeId, sandboxId });
    return call;
  }
}
