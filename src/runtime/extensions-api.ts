import type { IncomingMessage, ServerResponse } from 'node:http';
import { limits, type Random, type WorkBudget } from '../base/mod.ts';
import { collectBody } from './body.ts';
import {
  type Extension,
  ExtensionBook,
  type ExtensionRefusal,
  isRefusal,
} from './extension-book.ts';
import { headerText, sendError, sendJson } from './http.ts';
import type { Invocation, RuntimeSandbox, ShutdownReason } from './types.ts';

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
  readonly #parked = new Map<Extension, ServerResponse>();
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
  handle(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    if (!path.startsWith(prefix)) return false;
    const call = `${request.method} ${path.slice(prefix.length)}`;
    if (call === 'POST register') void this.#register(request, response);
    else if (call === 'GET event/next') this.#next(request, response);
    else if (call === 'POST init/error') void this.#fail('init', request, response);
    else if (call === 'POST exit/error') void this.#fail('exit', request, response);
    else return false;
    return true;
  }

  /** Who makes a request, by its header. */
  callerOf(request: IncomingMessage): Extension | ExtensionRefusal {
    return this.#book.find(headerText(request, 'lambda-extension-identifier'));
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
      const response = this.#parked.get(extension);
      this.#parked.delete(extension);
      if (response) this.#answer(response, event);
    }
  }

  #answer(response: ServerResponse, event: object): void {
    const identifier = ['Lambda-Extension-Event-Identifier', this.#options.random.uuid()];
    sendJson(response, 200, event, identifier);
  }

  async #register(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = headerText(request, 'lambda-extension-name');
    const events = await eventsOf(request, this.#options.budget);
    const made = this.#book.register(this.#options.random.uuid(), name, events);
    if (isRefusal(made)) {
      refuse(response, made);
      return;
    }
    const { accountId, ...identity } = this.#options.sandbox.identity;
    const features = headerText(request, 'lambda-extension-accept-feature') ?? '';
    const asked = features.split(',').some((feature) => feature.trim() === 'accountId');
    const body = asked ? { ...identity, accountId } : identity;
    sendJson(response, 200, body, ['Lambda-Extension-Identifier', made.identifier]);
    if (this.#book.allRegistered) this.#resolveRegistered();
  }

  #next(request: IncomingMessage, response: ServerResponse): void {
    const extension = this.callerOf(request);
    const isFirst = !isRefusal(extension) && extension.phase === 'registered';
    const refused = isRefusal(extension) ? extension : this.#book.asks(extension);
    if (refused || isRefusal(extension)) {
      if (refused) refuse(response, refused);
      return;
    }
    if (isFirst) {
      const record = { name: extension.name, state: 'Ready', events: [...extension.events] };
      this.#options.sandbox.onPlatformEvent({ type: 'platform.extension', record });
    }
    if (this.#shutdown && extension.events.has('SHUTDOWN')) {
      extension.phase = 'running';
      this.#answer(response, this.#shutdown);
      return;
    }
    this.#parked.set(extension, response);
    response.on('close', () => {
      if (this.#parked.get(extension) !== response) return;
      this.#parked.delete(extension);
      extension.phase = 'running';
    });
    this.#options.onProgress();
  }

  async #fail(
    phase: 'init' | 'exit',
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const extension = this.callerOf(request);
    const errorType = headerText(request, 'lambda-extension-function-error-type');
    const collected = await collectBody(
      request,
      limits.runtime.errorBodyBytes,
      this.#options.budget,
    );
    if (isRefusal(extension)) {
      refuse(response, extension);
      return;
    }
    if (errorType === undefined) {
      const message = 'Missing Lambda-Extension-Function-Error-Type header';
      refuse(response, { status: 403, errorType: 'Extension.MissingHeader', message });
      return;
    }
    extension.phase = 'failed';
    sendJson(response, 202, { status: 'OK' });
    const said = collected.kind === 'whole' ? collected.body : Buffer.alloc(0);
    const body = said.length > 0 ? said : Buffer.from(JSON.stringify({ errorType }));
    this.#options.onFailure({ phase, body, errorType });
  }
}

export function refuse(
  response: ServerResponse,
  { status, errorType, message }: ExtensionRefusal,
): void {
  sendError(response, status, errorType, message);
}

/** The `events` of a registration, whatever they are; `undefined` if there are none. */
async function eventsOf(request: IncomingMessage, budget: WorkBudget): Promise<unknown> {
  const collected = await collectBody(request, limits.runtime.errorBodyBytes, budget);
  if (collected.kind !== 'whole') return undefined;
  try {
    const parsed: unknown = JSON.parse(collected.body.toString('utf8'));
    if (typeof parsed === 'object' && parsed !== null && 'events' in parsed) return parsed.events;
  } catch {
    // Told by the refusal, as for a body of another shape.
  }
  return undefined;
}
