import { limits, type Random, type WorkBudget } from '../base/mod.ts';
import { sendError, sendJson } from './answers.ts';
import { collectBody } from './body.ts';
import {
  type Extension,
  ExtensionBook,
  type ExtensionRefusal,
  isRefusal,
} from './extension-book.ts';
import type { Invocation, RuntimeSandbox, ShutdownReason } from './types.ts';
import { field, type RuntimeCall } from './wire/runtime-call.ts';

const prefix = '/2020-01-01/extension/';

/** An extension said that it cannot go on. */
export interface ExtensionFailure {
  readonly phase: 'init' | 'exit';
  readonly body: Buffer;
  readonly errorType: string;
}

interface Shutdown {
  readonly eventType: 'SHUTDOWN';
  readonly shutdownReason: ShutdownReason;
  readonly deadlineMs: number;
}

export interface ExtensionsApiOptions {
  readonly sandbox: RuntimeSandbox;
  readonly random: Random;
  readonly budget: WorkBudget;
  /** Some extension has come a step further. */
  readonly onProgress: () => void;
  readonly onFailure: (failure: ExtensionFailure) => void;
}

/** The Extensions API of one sandbox (contract 2.7), beside its Runtime API on the same port. */
export class ExtensionsApi {
  readonly #options: ExtensionsApiOptions;
  /** Resolves when all external extensions have registered. */
  readonly registered: Promise<void>;
  readonly #book: ExtensionBook;
  readonly #parked = new Map<Extension, RuntimeCall>();
  #resolveRegistered: () => void = () => {};
  #shutdown: Shutdown | undefined;

  constructor(options: ExtensionsApiOptions) {
    this.#options = options;
    this.#book = new ExtensionBook(options.sandbox.externalExtensions);
    this.registered = new Promise((resolve) => {
      this.#resolveRegistered = resolve;
    });
    if (this.#book.allRegistered) this.#resolveRegistered();
  }

  /** How many have registered. */
  get count(): number {
    return this.#book.size;
  }

  get allReady(): boolean {
    return this.#book.allReady;
  }

  closeRegistration(): void {
    this.#book.closeRegistration();
  }

  /** Whether the call was one of this API. */
  handle(call: RuntimeCall): boolean {
    const { method, path } = call;
    if (!path.startsWith(prefix)) return false;
    const name = `${method} ${path.slice(prefix.length)}`;
    if (name === 'POST register') void this.#register(call);
    else if (name === 'GET event/next') this.#next(call);
    else if (name === 'POST init/error') void this.#fail('init', call);
    else if (name === 'POST exit/error') void this.#fail('exit', call);
    else return false;
    return true;
  }

  /** Who makes a call, by its header. */
  callerOf(call: RuntimeCall): Extension | ExtensionRefusal {
    return this.#book.find(call.header('lambda-extension-identifier'));
  }

  /** Tells those who asked for it that the runtime has got an event. */
  invoke(invocation: Invocation, deadlineEpochMs: number): void {
    const { requestId, invokedFunctionArn, traceId } = invocation;
    const tracing = { type: 'X-Amzn-Trace-Id', value: traceId ?? '' };
    this.#send('INVOKE', {
      eventType: 'INVOKE',
      deadlineMs: Math.round(deadlineEpochMs),
      requestId,
      invokedFunctionArn,
      tracing,
    });
  }

  /**
   * Tells those who asked for it that the sandbox goes, those that are busy when they ask for
   * their next event; answers their names.
   */
  shutdown(shutdownReason: ShutdownReason, deadlineEpochMs: number): string[] {
    const deadlineMs = Math.round(deadlineEpochMs);
    this.#shutdown = { eventType: 'SHUTDOWN', shutdownReason, deadlineMs };
    this.#send('SHUTDOWN', this.#shutdown);
    return this.#book.takers('SHUTDOWN');
  }

  #send(type: 'INVOKE' | 'SHUTDOWN', event: object): void {
    for (const extension of this.#book.give(type)) {
      const call = this.#parked.get(extension);
      this.#parked.delete(extension);
      if (call) this.#answer(call, event);
    }
  }

  #answer(call: RuntimeCall, event: object): void {
    const identifier = field('Lambda-Extension-Event-Identifier', this.#options.random.uuid());
    sendJson(call, 200, event, identifier);
  }

  async #register(call: RuntimeCall): Promise<void> {
    const name = call.header('lambda-extension-name');
    const events = await eventsOf(call, this.#options.budget);
    const made = this.#book.register(this.#options.random.uuid(), name, events);
    if (isRefusal(made)) {
      refuse(call, made);
      return;
    }
    const { accountId, ...identity } = this.#options.sandbox.identity;
    const features = call.header('lambda-extension-accept-feature') ?? '';
    const asked = features.split(',').some((feature) => feature.trim() === 'accountId');
    const body = asked ? { ...identity, accountId } : identity;
    sendJson(call, 200, body, field('Lambda-Extension-Identifier', made.identifier));
    if (this.#book.allRegistered) this.#resolveRegistered();
  }

  #next(call: RuntimeCall): void {
    const extension = this.callerOf(call);
    const isFirst = !isRefusal(extension) && extension.phase === 'registered';
    const refused = isRefusal(extension) ? extension : this.#book.asks(extension);
    if (refused || isRefusal(extension)) {
      if (refused) refuse(call, refused);
      return;
    }
    if (isFirst) {
      const record = { name: extension.name, state: 'Ready', events: [...extension.events] };
      this.#options.sandbox.onPlatformEvent({ type: 'platform.extension', record });
    }
    if (this.#shutdown && extension.events.has('SHUTDOWN')) {
      extension.phase = 'running';
      this.#answer(call, this.#shutdown);
      return;
    }
    this.#parked.set(extension, call);
    call.onGone(() => {
      if (this.#parked.get(extension) !== call) return;
      this.#parked.delete(extension);
      extension.phase = 'running';
    });
    this.#options.onProgress();
  }

  async #fail(phase: 'init' | 'exit', call: RuntimeCall): Promise<void> {
    const extension = this.callerOf(call);
    const errorType = call.header('lambda-extension-function-error-type');
    const collected = await collectBody(call, limits.runtime.errorBodyBytes, this.#options.budget);
    if (isRefusal(extension)) {
      refuse(call, extension);
      return;
    }
    if (errorType === undefined) {
      const message = 'Missing Lambda-Extension-Function-Error-Type header';
      refuse(call, { status: 403, errorType: 'Extension.MissingHeader', message });
      return;
    }
    extension.phase = 'failed';
    sendJson(call, 202, { status: 'OK' });
    const said = collected.kind === 'whole' ? collected.body : Buffer.alloc(0);
    const body = said.length > 0 ? said : Buffer.from(JSON.stringify({ errorType }));
    this.#options.onFailure({ phase, body, errorType });
  }
}

export function refuse(call: RuntimeCall, { status, errorType, message }: ExtensionRefusal): void {
  sendError(call, status, errorType, message);
}

/** The `events` of a registration, whatever they are; `undefined` if there are none. */
async function eventsOf(call: RuntimeCall, budget: WorkBudget): Promise<unknown> {
  const collected = await collectBody(call, limits.runtime.errorBodyBytes, budget);
  if (collected.kind !== 'whole') return undefined;
  try {
    const parsed: unknown = JSON.parse(collected.body.toString('utf8'));
    if (typeof parsed === 'object' && parsed !== null && 'events' in parsed) return parsed.events;
  } catch {
    // Told by the refusal, as for a body of another shape.
  }
  return undefined;
}
