import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { limits, type Random } from '../base/mod.ts';
import { collectBody } from './body.ts';
import {
  type Extension,
  ExtensionBook,
  type ExtensionRefusal,
  isRefusal,
} from './extension-book.ts';
import { headerText, sendError, sendJson } from './http.ts';
import type { RuntimeEvent, RuntimeIdentity } from './types.ts';

const prefix = '/2020-01-01/extension/';
const telemetryPaths: ReadonlySet<string> = new Set(['/2022-07-01/telemetry', '/2020-08-15/logs']);

/** An extension said that it cannot go on. */
export interface ExtensionFailure {
  readonly phase: 'init' | 'exit';
  readonly body: Buffer;
  readonly errorType: string;
}

export interface ExtensionsApiOptions {
  readonly identity: RuntimeIdentity;
  readonly random: Random;
  /** Some extension has come a step further. */
  readonly onProgress: () => void;
  readonly onFailure: (failure: ExtensionFailure) => void;
}

/** The Extensions API of one sandbox (contract 2.7), beside its Runtime API on the same port. */
export class ExtensionsApi {
  readonly #options: ExtensionsApiOptions;
  readonly #book = new ExtensionBook();
  readonly #parked = new Map<Extension, ServerResponse>();

  constructor(options: ExtensionsApiOptions) {
    this.#options = options;
  }

  get allReady(): boolean {
    return this.#book.allReady;
  }

  closeRegistration(): void {
    this.#book.closeRegistration();
  }

  /** Whether the call was one of this API. */
  handle(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    if (request.method === 'PUT' && telemetryPaths.has(path)) {
      // Nothing reaches into a sandbox's network to deliver it, so no subscription is taken.
      request.resume();
      sendJson(response, 202, 'telemetry is not delivered in this environment');
      return true;
    }
    if (!path.startsWith(prefix)) return false;
    const call = `${request.method} ${path.slice(prefix.length)}`;
    if (call === 'POST register') void this.#register(request, response);
    else if (call === 'GET event/next') this.#next(request, response);
    else if (call === 'POST init/error') void this.#fail('init', request, response);
    else if (call === 'POST exit/error') void this.#fail('exit', request, response);
    else return false;
    return true;
  }

  /** Tells those who asked for it that the runtime has got an event. */
  invoke(event: RuntimeEvent): void {
    const { traceId } = event;
    const tracing = { type: 'X-Amzn-Trace-Id', value: traceId ?? '' };
    this.#send('INVOKE', {
      eventType: 'INVOKE',
      deadlineMs: Math.round(event.deadlineEpochMs),
      requestId: event.requestId,
      invokedFunctionArn: event.invokedFunctionArn,
      tracing,
    });
  }

  /**
   * Tells those who asked for it that the sandbox goes; resolves when all of them have hung up,
   * which is how an extension's end looks from here.
   */
  async shutdown(shutdownReason: 'spindown', deadlineEpochMs: number): Promise<void> {
    const deadlineMs = Math.round(deadlineEpochMs);
    const told = this.#send('SHUTDOWN', { eventType: 'SHUTDOWN', shutdownReason, deadlineMs });
    await Promise.all(
      told.map(({ socket }) => socket && !socket.destroyed && once(socket, 'close')),
    );
  }

  #send(type: 'INVOKE' | 'SHUTDOWN', event: object): ServerResponse[] {
    const told: ServerResponse[] = [];
    for (const extension of this.#book.give(type)) {
      const response = this.#parked.get(extension);
      this.#parked.delete(extension);
      if (!response) continue;
      const identifier = ['Lambda-Extension-Event-Identifier', this.#options.random.uuid()];
      sendJson(response, 200, event, identifier);
      told.push(response);
    }
    return told;
  }

  async #register(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = headerText(request, 'lambda-extension-name');
    const events = await eventsOf(request);
    const made = this.#book.register(this.#options.random.uuid(), name, events);
    if (isRefusal(made)) {
      refuse(response, made);
      return;
    }
    const { accountId, ...identity } = this.#options.identity;
    const features = headerText(request, 'lambda-extension-accept-feature') ?? '';
    const asked = features.split(',').some((feature) => feature.trim() === 'accountId');
    const body = asked ? { ...identity, accountId } : identity;
    sendJson(response, 200, body, ['Lambda-Extension-Identifier', made.identifier]);
  }

  #next(request: IncomingMessage, response: ServerResponse): void {
    const extension = this.#book.find(headerText(request, 'lambda-extension-identifier'));
    const refused = isRefusal(extension) ? extension : this.#book.asks(extension);
    if (refused || isRefusal(extension)) {
      if (refused) refuse(response, refused);
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
    const extension = this.#book.find(headerText(request, 'lambda-extension-identifier'));
    const errorType = headerText(request, 'lambda-extension-function-error-type');
    const collected = await collectBody(request, limits.runtime.errorBodyBytes);
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

function refuse(response: ServerResponse, { status, errorType, message }: ExtensionRefusal): void {
  sendError(response, status, errorType, message);
}

/** The `events` of a registration, whatever they are; `undefined` if there are none. */
async function eventsOf(request: IncomingMessage): Promise<unknown> {
  const collected = await collectBody(request, limits.runtime.errorBodyBytes);
  if (collected.kind !== 'whole') return undefined;
  try {
    const parsed: unknown = JSON.parse(collected.body.toString('utf8'));
    if (typeof parsed === 'object' && parsed !== null && 'events' in parsed) return parsed.events;
  } catch {
    // Told by the refusal, as for a body of another shape.
  }
  return undefined;
}
