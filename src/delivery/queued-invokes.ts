import { type Clock, isSluiceError, type Logger, limits, type Random } from '../base/mod.ts';
import {
  allowanceOf,
  type Catalogue,
  findTarget,
  functionArn,
  pickVersion,
  servingVersion,
  type Target,
} from '../catalogue/mod.ts';
import { type Invoker, traceIdOf } from '../dispatch/mod.ts';
import type { QueuedEvent } from './events.ts';

/** How one attempt to run a queued event came out. */
export type QueuedOutcome =
  | {
      readonly kind: 'ok' | 'function-error';
      readonly executedVersion: string;
      readonly payload: Buffer;
    }
  | { readonly kind: 'refused' | 'switched-off' | 'deleted' };

/** What the function's configuration says of its asynchronous invokes now. */
export interface QueuedPolicy {
  /** Qualified, as destination records have it. */
  readonly functionArn: string;
  readonly maximumRetryAttempts: number;
  readonly maximumEventAgeMs: number;
  readonly onSuccess?: string | undefined;
  readonly onFailure?: string | undefined;
  readonly deadLetter?: string | undefined;
}

/** A function that an event source mapping names. */
export interface MappedFunction {
  readonly accountId: string;
  readonly functionName: string;
  readonly qualifier?: string | undefined;
}

export interface QueuedInvokesServices extends Catalogue {
  readonly invoker: Invoker;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Runs what `Event` invokes left in the queue as synchronous invokes (contract 2.10). */
export class QueuedInvokes {
  readonly #services: QueuedInvokesServices;
  readonly #closing = new AbortController();

  constructor(services: QueuedInvokesServices) {
    this.#services = services;
  }

  /** Never rejects for what the function does, nor for a limit that is in its way. */
  async invoke(event: QueuedEvent): Promise<QueuedOutcome> {
    const { region, invoker } = this.#services;
    const target = await this.#find(event);
    if (!target) return { kind: 'deleted' };
    if (target.record.reservedConcurrency === 0) return { kind: 'switched-off' };
    try {
      const outcome = await invoker.invoke({
        version: servingVersion(region, target),
        invokedFunctionArn: functionArn(region, target.reference, event.qualifier),
        requestId: event.requestId,
        payload: event.payload,
        traceId: event.traceId,
        logTail: false,
        concurrency: await allowanceOf(this.#services, target),
        signal: this.#closing.signal,
      });
      const { executedVersion, payload } = outcome;
      return { kind: outcome.status, executedVersion, payload };
    } catch (error) {
      if (!isSluiceError(error)) throw error;
      this.#services.logger.debug({ requestId: event.requestId, error }, 'an event is refused');
      return { kind: 'refused' };
    }
  }

  /** A batch of an event source, as an invoke of its own. */
  invokeBatch(target: MappedFunction, payload: Buffer): Promise<QueuedOutcome> {
    const { random, clock } = this.#services;
    const receivedMs = clock.nowMs();
    const traceId = traceIdOf({ headers: {} }, random, receivedMs);
    return this.invoke({ ...target, requestId: random.uuid(), traceId, payload, receivedMs });
  }

  /** Whether the function is there, installed, and not switched off. */
  async serves(target: MappedFunction): Promise<boolean> {
    const found = await this.#find(target);
    if (!found || found.record.reservedConcurrency === 0) return false;
    return found.version.serving !== undefined;
  }

  async of(event: QueuedEvent): Promise<QueuedPolicy | undefined> {
    const target = await this.#find(event);
    if (!target) return undefined;
    const { record, version } = target;
    const qualifier = event.qualifier ?? '$LATEST';
    const config = record.eventInvokeConfigs[qualifier];
    const ageSeconds = config?.maximumEventAgeSeconds;
    return {
      functionArn: functionArn(this.#services.region, record, qualifier),
      maximumRetryAttempts: config?.maximumRetryAttempts ?? limits.queue.retryDelaysMs.length,
      maximumEventAgeMs:
        ageSeconds === undefined ? limits.queue.maximumEventAgeMs : ageSeconds * 1000,
      onSuccess: config?.onSuccess,
      onFailure: config?.onFailure,
      deadLetter: version.configuration.deadLetterTargetArn,
    };
  }

  /** Ends the wait of events that no sandbox has yet. */
  close(): void {
    this.#closing.abort();
  }

  async #find(event: MappedFunction): Promise<Target | undefined> {
    const { accountId, functionName: name, qualifier } = event;
    const pick = (alias: Parameters<typeof pickVersion>[0]) =>
      pickVersion(alias, this.#services.random);
    try {
      return await findTarget(this.#services, { accountId, name, qualifier }, pick);
    } catch (error) {
      if (isSluiceError(error, 'FUNCTION_NOT_FOUND')) return undefined;
      throw error;
    }
  }
}
