import { type Clock, isSluiceError, type Logger, limits, type Random } from '../base/mod.ts';
import {
  type Catalogue,
  findTarget,
  functionArn,
  pickVersion,
  type Target,
} from '../catalogue/mod.ts';
import { type EventFacts, type Invoker, prepareInvoke, traceIdOf } from '../dispatch/mod.ts';
import type { EventAttempt, EventFunctions, EventPolicy } from '../queue/mod.ts';
import type { QueuedEvent } from './events.ts';

/** How one attempt to run a queued event came out. */
export type QueuedOutcome =
  | {
      readonly kind: 'ok' | 'function-error';
      readonly executedVersion: string;
      readonly payload: Buffer;
    }
  | { readonly kind: 'refused' | 'switched-off' };

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
export class QueuedInvokes implements EventFunctions {
  readonly #services: QueuedInvokesServices;
  readonly #closing = new AbortController();

  constructor(services: QueuedInvokesServices) {
    this.#services = services;
  }

  /**
   * Chooses the version that an attempt runs, by an alias's weights for one: whose dead letter
   * queue it is told of is then the same version's.
   */
  async resolve(event: QueuedEvent): Promise<EventAttempt | undefined> {
    const target = await this.#find(event);
    if (!target) return undefined;
    return { policy: this.#policyOf(target), invoke: () => this.#run(target, event) };
  }

  /** A batch of an event source, as an invoke of its own. */
  async invokeBatch(mapped: MappedFunction, payload: Buffer): Promise<QueuedOutcome> {
    const target = await this.#find(mapped);
    if (!target) return { kind: 'refused' };
    const { random, clock } = this.#services;
    const traceId = traceIdOf({ headers: {} }, random, clock.nowMs());
    return this.#run(target, { requestId: random.uuid(), traceId, payload });
  }

  /** Whether the function is there, installed, and not switched off. */
  async serves(target: MappedFunction): Promise<boolean> {
    const found = await this.#find(target);
    if (!found || found.record.reservedConcurrency === 0) return false;
    return found.version.serving !== undefined;
  }

  /** Ends the wait of events that no sandbox has yet. */
  close(): void {
    this.#closing.abort();
  }

  /** Never rejects for what the function does, nor for a limit that is in its way. */
  async #run(target: Target, event: EventFacts): Promise<QueuedOutcome> {
    if (target.record.reservedConcurrency === 0) return { kind: 'switched-off' };
    const { invoker, logger } = this.#services;
    const { requestId, payload, traceId, tenantId } = event;
    const facts = { requestId, payload, traceId, tenantId };
    try {
      const call = await prepareInvoke(this.#services, target, facts, this.#closing.signal);
      const { status, executedVersion, payload: answer } = await invoker.invoke(call);
      return { kind: status, executedVersion, payload: answer };
    } catch (error) {
      if (!isSluiceError(error)) throw error;
      logger.debug({ requestId, error }, 'an event is refused');
      return { kind: 'refused' };
    }
  }

  #policyOf({ reference, record, version }: Target): EventPolicy {
    const qualifier = reference.qualifier ?? '$LATEST';
    const config = record.eventInvokeConfigs[qualifier];
    const ageSeconds = config?.maximumEventAgeSeconds;
    return {
      functionArn: functionArn(this.#services.region, record, qualifier),
      maximumRetryAttempts: config?.maximumRetryAttempts ?? limits.queue.retryDelaysMs.length,
      maximumEventAgeMs:
        ageSeconds === undefined ? limits.queue.maximumEventAgeMs : ageSeconds * 1000,
      onSuccess: config?.onSuccess,
      onFailure: config?.onFailure,
      configuredBy: config?.configuredBy,
      deadLetter: version.configuration.deadLetterTargetArn,
      deadLetterConfiguredBy: version.configuration.deadLetterConfiguredBy,
    };
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
