import type { Server as NetServer } from 'node:net';
import { assert, type Clock, type Random } from '../base/mod.ts';
import { sendAccepted, sendError, sendEvent, sendText } from './answers.ts';
import { discardBody } from './body.ts';
import { type ExtensionFailure, ExtensionsApi } from './extensions-api.ts';
import { type ReadPost, readError, readInitError, readResponse } from './posts.ts';
import { RequestGate } from './request-gate.ts';
import { type RuntimeRoute, routeOf } from './routes.ts';
import {
  initialRuntimeState,
  type RuntimeEffect,
  type RuntimeEvent,
  type RuntimeState,
  step,
} from './state.ts';
import { TelemetryApi } from './telemetry-api.ts';
import type {
  InitOutcome,
  Invocation,
  RuntimeOutcome,
  RuntimeSandbox,
  SandboxRuntimeApi,
} from './types.ts';
import type { RuntimeCall } from './wire/runtime-call.ts';

const nothing = () => {};

interface CurrentInvoke {
  readonly invocation: Invocation;
  readonly deadlineEpochMs: number;
  readonly resolve: (outcome: RuntimeOutcome) => void;
}

/**
 * The Runtime API of one sandbox (contract 2.6), served on whatever connections the sandbox hands
 * out. It knows what the runtime says, and nothing of processes or timeouts: the worker does.
 */
export class RuntimeApi implements SandboxRuntimeApi {
  /** Settles once, at the first `next`, at `init/error`, or at `close`. */
  readonly ready: Promise<InitOutcome>;

  readonly #gate: RequestGate;
  #state: RuntimeState = initialRuntimeState;
  #parked: RuntimeCall | undefined;
  #current: CurrentInvoke | undefined;
  #resolveReady: (outcome: InitOutcome) => void = nothing;
  #whenSettled: (() => void)[] = [];
  readonly extensions: ExtensionsApi;
  readonly telemetry: TelemetryApi;
  /** What the next invoke, or the one that runs, is answered: an extension has failed. */
  #fatal: RuntimeOutcome | undefined;

  constructor(options: { clock: Clock; random: Random; sandbox: RuntimeSandbox }) {
    const { clock, random, sandbox } = options;
    this.#gate = new RequestGate(clock, (call) => this.#handle(call));
    const { budget } = this.#gate;
    this.extensions = new ExtensionsApi({
      sandbox,
      random,
      budget,
      onProgress: () => this.#progress(),
      onFailure: (failure) => this.#extensionFailed(failure),
    });
    this.telemetry = new TelemetryApi({ clock, sandbox, budget, extensions: this.extensions });
    this.ready = new Promise((resolve) => {
      this.#resolveReady = resolve;
    });
  }

  /** Takes the connections of `server`, which listens inside the sandbox. */
  attach(server: NetServer): void {
    this.#gate.attach(server);
  }

  /**
   * Hands the runtime one event, as soon as it asks. At most one at a time; an event given before
   * init is over waits for it.
   */
  invoke(invocation: Invocation, deadlineEpochMs: number): Promise<RuntimeOutcome> {
    const { requestId } = invocation;
    assert(this.#current === undefined, `${requestId}: the runtime is already lent`);
    if (this.#state.phase === 'closed') return Promise.resolve({ kind: 'closed' });
    if (this.#fatal) return Promise.resolve(this.#fatal);
    return new Promise((resolve) => {
      this.#current = { invocation, deadlineEpochMs, resolve };
      this.#step({ type: 'invoke', requestId });
    });
  }

  /** Resolves when the runtime and all extensions, done with the last invoke, ask for the next. */
  settled(): Promise<void> {
    if (this.#allAsk) return Promise.resolve();
    return new Promise((resolve) => this.#whenSettled.push(resolve));
  }

  /** An extension's process has ended while it was needed, and nothing works without it. */
  extensionEnded(message: string, errorType: string): void {
    this.#break({ kind: 'broken', message, errorType });
  }

  /** Drops every connection; all that wait get `closed`. */
  close(): void {
    this.#step({ type: 'close' });
    this.#resolveReady({ kind: 'closed' });
    this.#finish({ kind: 'closed' });
    this.#gate.close();
    this.telemetry.close();
    this.#parked = undefined;
    this.#whenSettled = [];
  }

  #step(event: RuntimeEvent): readonly RuntimeEffect[] {
    const { state, effects } = step(this.#state, event);
    this.#state = state;
    for (const effect of effects) {
      if (effect.type === 'ready') {
        this.extensions.closeRegistration();
        this.telemetry.closeSubscription();
      }
      if (effect.type === 'ready' || effect.type === 'settled') this.#progress();
      else if (effect.type === 'deliver' && this.#parked) this.#deliver(this.#parked);
    }
    return effects;
  }

  get #allAsk(): boolean {
    return this.#state.phase === 'idle' && this.extensions.allReady;
  }

  /** The runtime or an extension has asked for an event; perhaps it was the last to do so. */
  #progress(): void {
    const { phase } = this.#state;
    if (phase === 'starting' || !this.extensions.allReady) return;
    this.#resolveReady({ kind: 'ready' });
    if (phase !== 'idle') return;
    const waiting = this.#whenSettled;
    this.#whenSettled = [];
    for (const resolve of waiting) resolve();
  }

  #deliver(call: RuntimeCall): void {
    const current = this.#current;
    assert(current !== undefined, 'a delivery has an event');
    const { invocation, deadlineEpochMs } = current;
    this.#parked = undefined;
    sendEvent(call, invocation, deadlineEpochMs);
    this.extensions.invoke(invocation, deadlineEpochMs);
  }

  #extensionFailed({ phase, body, errorType }: ExtensionFailure): void {
    if (phase === 'init') this.#resolveReady({ kind: 'error', body, errorType });
    this.#break({ kind: 'fatal', body, errorType });
  }

  #break(outcome: RuntimeOutcome & { kind: 'fatal' | 'broken' }): void {
    if (outcome.kind === 'broken') this.#resolveReady(outcome);
    this.#fatal = outcome;
    this.#finish(outcome);
  }

  #finish(outcome: RuntimeOutcome): void {
    const current = this.#current;
    this.#current = undefined;
    current?.resolve(outcome);
  }

  #handle(call: RuntimeCall): void {
    const route = routeOf(call.method, call.path);
    if (route) {
      this.#serve(route, call);
      return;
    }
    this.#gate.charge();
    if (this.extensions.handle(call) || this.telemetry.handle(call)) return;
    discardBody(call, this.#gate.budget);
    sendError(call, 404, 'InvalidRequest', `${call.method} ${call.path}: no such call`);
  }

  #serve(route: RuntimeRoute, call: RuntimeCall): void {
    const { kind } = route;
    if (kind === 'next') this.#next(call);
    else if (kind === 'post') this.#post(route, call);
    else if (kind === 'init-error') void this.#initError(call);
    else {
      this.#gate.charge();
      if (kind === 'ping') sendText(call, 200, 'pong');
      else sendError(call, 403, 'InvalidStateTransition', 'this sandbox is no snapshot');
    }
  }

  #post({ target, requestId }: RuntimeRoute & { kind: 'post' }, call: RuntimeCall): void {
    const effects = this.#step({ type: 'post', target, requestId });
    if (this.#refused(effects, call)) {
      discardBody(call, this.#gate.budget);
      return;
    }
    const sink = this.#current?.invocation.sink;
    const reading =
      target === 'response'
        ? readResponse(call, sink, this.#gate.budget)
        : readError(call, this.#gate.budget);
    void this.#takePost(reading, call);
  }

  /** Answers a call that the state machine refused. */
  #refused(effects: readonly RuntimeEffect[], call: RuntimeCall): boolean {
    const refusal = effects.find((effect) => effect.type === 'refuse');
    if (!refusal) return false;
    this.#gate.charge();
    sendError(call, refusal.status, refusal.errorType, refusal.message);
    return true;
  }

  #next(call: RuntimeCall): void {
    const before = this.#parked;
    this.#parked = call;
    const effects = this.#step({ type: 'next' });
    if (this.#refused(effects, call)) {
      this.#parked = before;
      return;
    }
    call.onGone(() => {
      if (this.#parked !== call) return;
      this.#parked = undefined;
      this.#step({ type: 'next-gone' });
    });
  }

  async #initError(call: RuntimeCall): Promise<void> {
    const effects = this.#step({ type: 'init-error' });
    if (this.#refused(effects, call)) {
      discardBody(call, this.#gate.budget);
      return;
    }
    const { body, errorType } = await readInitError(call, this.#gate.budget);
    sendAccepted(call);
    this.#resolveReady({ kind: 'error', body, errorType });
  }

  async #takePost(reading: Promise<ReadPost>, call: RuntimeCall): Promise<void> {
    const { outcome, refusal } = await reading;
    this.#step({ type: 'post-ended' });
    this.#finish(outcome);
    // Whoever waits for the outcome is answered first: promises come before the next tick.
    process.nextTick(() => {
      if (refusal) sendError(call, refusal.status, refusal.type, refusal.message);
      else sendAccepted(call);
    });
  }
}
