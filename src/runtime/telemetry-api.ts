import { type Clock, limits, type WorkBudget } from '../base/mod.ts';
import { sendJson } from './answers.ts';
import { collectBody } from './body.ts';
import { isRefusal } from './extension-book.ts';
import { type ExtensionsApi, refuse } from './extensions-api.ts';
import { TelemetryPost } from './telemetry-post.ts';
import { parseTelemetryRequest, type TelemetryFlavour } from './telemetry-request.ts';
import { TelemetrySubscription } from './telemetry-subscription.ts';
import type { RuntimeSandbox, TelemetryEvent } from './types.ts';
import type { RuntimeCall } from './wire/runtime-call.ts';

const flavours: ReadonlyMap<string, TelemetryFlavour> = new Map([
  ['/2022-07-01/telemetry', 'telemetry'],
  ['/2020-08-15/logs', 'logs'],
]);
const prefixes = { telemetry: 'Telemetry', logs: 'Logs' } as const;

export interface TelemetryApiOptions {
  readonly clock: Clock;
  readonly sandbox: RuntimeSandbox;
  readonly budget: WorkBudget;
  readonly extensions: ExtensionsApi;
}

/**
 * The Telemetry API of one sandbox, and the Logs API (contract 2.7): extensions subscribe during
 * init, and are sent what the platform, the function and extensions had to tell from its beginning.
 */
export class TelemetryApi {
  readonly #options: TelemetryApiOptions;
  readonly #subscriptions = new Map<string, TelemetrySubscription>();
  /** What happened so far, for those that have yet to subscribe. */
  #backlog: TelemetryEvent[] = [];
  #backlogBytes = 0;
  #open = true;

  constructor(options: TelemetryApiOptions) {
    this.#options = options;
  }

  get isHeard(): boolean {
    return this.#open || this.#subscriptions.size > 0;
  }

  emit(event: TelemetryEvent): void {
    for (const subscription of this.#subscriptions.values()) subscription.push(event);
    if (!this.#open || this.#backlogBytes > limits.runtime.telemetryBacklogBytes) return;
    this.#backlog.push(event);
    this.#backlogBytes += JSON.stringify(event.record).length;
  }

  /** The runtime has asked for its first event: who has not subscribed no longer can. */
  closeSubscription(): void {
    this.#open = false;
    this.#backlog = [];
  }

  /** Resolves when all that happened is sent. */
  async flush(): Promise<void> {
    await Promise.all([...this.#subscriptions.values()].map((each) => each.flush()));
  }

  close(): void {
    for (const subscription of this.#subscriptions.values()) subscription.close();
    this.closeSubscription();
  }

  /** Whether the call was one of this API. */
  handle(call: RuntimeCall): boolean {
    const flavour = flavours.get(call.path);
    if (call.method !== 'PUT' || flavour === undefined) return false;
    void this.#subscribe(flavour, call);
    return true;
  }

  async #subscribe(flavour: TelemetryFlavour, call: RuntimeCall): Promise<void> {
    const { extensions, sandbox, clock } = this.#options;
    const caller = extensions.callerOf(call);
    const collected = await collectBody(call, limits.runtime.errorBodyBytes, this.#options.budget);
    if (isRefusal(caller)) return refuse(call, caller);
    if (!this.#open) {
      const message = `${prefixes[flavour]} API subscription is closed already`;
      const errorType = `${prefixes[flavour]}.SubscriptionClosed`;
      return refuse(call, { status: 403, errorType, message });
    }
    const body = collected.kind === 'whole' ? collected.body : Buffer.alloc(0);
    const asked = parseTelemetryRequest(flavour, body);
    if ('problem' in asked) {
      return refuse(call, {
        status: 400,
        errorType: 'ValidationError',
        message: asked.problem,
      });
    }
    const connect = (port: number) => sandbox.connect(port);
    const receiver = new TelemetryPost(connect, asked.port, asked.path);
    // A second subscription of the same extension takes the place of its first.
    this.#subscriptions.get(caller.identifier)?.close();
    const subscription = new TelemetrySubscription({ request: asked, flavour, receiver, clock });
    this.#subscriptions.set(caller.identifier, subscription);
    for (const event of this.#backlog) subscription.push(event);
    sendJson(call, 200, 'OK');
    const record = { name: caller.name, state: 'Subscribed', types: asked.types };
    sandbox.onPlatformEvent({ type: 'platform.telemetrySubscription', record });
  }
}
