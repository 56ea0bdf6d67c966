import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server as NetServer } from 'node:net';
import { assert, type Clock, type Random } from '../base/mod.ts';
import { discardBody } from './body.ts';
import { type ExtensionFailure, ExtensionsApi } from './extensions-api.ts';
import { nextHeaders, sendAccepted, sendError, sendText } from './http.ts';
import { type ReadPost, readError, readInitError, readResponse } from './posts.ts';
import { RequestGate } from './request-gate.ts';
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

const versionPrefix = '/2018-06-01/';
const invocationPrefix = '/2018-06-01/runtime/invocation/';
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
  #parked: ServerResponse | undefined;
  #current: CurrentInvoke | undefined;
  #resolveReady: (outcome: InitOutcome) => void = nothing;
  #whenSettled: (() => void)[] = [];
  readonly extensions: ExtensionsApi;
  readonly telemetry: TelemetryApi;
  /** What the next invoke, or the one that runs, is answered: an extension has failed. */
  #fatal: RuntimeOutcome | undefined;

  constructor(options: { clock: Clock; random: Random; sandbox: RuntimeSandbox }) {
    const { clock, random, sandbox } = options;
    this.#gate = new RequestGate(clock, (request, response) => this.#handle(request, response));
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

  #deliver(response: ServerResponse): void {
    const current = this.#current;
    assert(current !== undefined, 'a delivery has an event');
    const { invocation, deadlineEpochMs } = current;
    this.#parked = undefined;
    response.writeHead(200, nextHeaders(invocation, deadlineEpochMs));
    response.end(invocation.payload);
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

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const url = request.url ?? '';
    const query = url.indexOf('?');
    const path = query < 0 ? url : url.slice(0, query);
    const handled =
      request.method === 'GET'
        ? this.#get(path, response)
        : request.method === 'POST' && this.#post(path, request, response);
    if (handled) return;
    this.#gate.charge();
    if (this.extensions.handle(path, request, response)) return;
    if (this.telemetry.handle(path, request, response)) return;
    discardBody(request, this.#gate.budget);
    sendError(response, 404, 'InvalidRequest', `${request.method} ${path}: no such call`);
  }

  #get(path: string, response: ServerResponse): boolean {
    if (path === `${invocationPrefix}next`) {
      this.#next(response);
      return true;
    }
    const isPing = path === `${versionPrefix}ping`;
    if (!isPing && path !== `${versionPrefix}runtime/restore/next`) return false;
    this.#gate.charge();
    if (isPing) sendText(response, 200, 'pong');
    else sendError(response, 403, 'InvalidStateTransition', 'this sandbox is no snapshot');
    return true;
  }

  #post(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    if (path === `${versionPrefix}runtime/init/error`) {
      void this.#initError(request, response);
      return true;
    }
    if (!path.startsWith(invocationPrefix)) return false;
    const [requestId = '', target, rest] = path.slice(invocationPrefix.length).split('/');
    if ((target !== 'response' && target !== 'error') || rest !== undefined) return false;
    const effects = this.#step({ type: 'post', target, requestId });
    if (this.#refused(effects, response)) {
      discardBody(request, this.#gate.budget);
      return true;
    }
    const sink = this.#current?.invocation.sink;
    const reading =
      target === 'response'
        ? readResponse(request, sink, this.#gate.budget)
        : readError(request, this.#gate.budget);
    void this.#takePost(reading, response);
    return true;
  }

  /** Answers a call that the state machine refused. */
  #refused(effects: readonly RuntimeEffect[], response: ServerResponse): boolean {
    const refusal = effects.find((effect) => effect.type === 'refuse');
    if (!refusal) return false;
    this.#gate.charge();
    sendError(response, refusal.status, refusal.errorType, refusal.message);
    return true;
  }

  #next(response: ServerResponse): void {
    const before = this.#parked;
    this.#parked = response;
    const effects = this.#step({ type: 'next' });
    if (this.#refused(effects, response)) {
      this.#parked = before;
      return;
    }
    response.on('close', () => {
      if (this.#parked !== response) return;
      this.#parked = undefined;
      this.#step({ type: 'next-gone' });
    });
  }

  async #initError(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const effects = this.#step({ type: 'init-error' });
    if (this.#refused(effects, response)) {
      discardBody(request, this.#gate.budget);
      return;
    }
    const { body, errorType } = await readInitError(request, this.#gate.budget);
    sendAccepted(response);
    this.#resolveReady({ kind: 'error', body, errorType });
  }

  async #takePost(reading: Promise<ReadPost>, response: ServerResponse): Promise<void> {
    const { outcome, refusal } = await reading;
    this.#step({ type: 'post-ended' });
    if (refusal) sendError(response, refusal.status, refusal.type, refusal.message);
    else sendAccepted(response);
    this.#finish(outcome);
  }
}
