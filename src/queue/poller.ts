import { type Clock, type Logger, limits, type Timer } from '../base/mod.ts';
import {
  type Decision,
  decideAfter,
  decideBefore,
  type EventPolicy,
  type EventResult,
  lambdaRetryTimes,
  type RetryTimes,
} from './decide.ts';
import type { Delivery, EventEnding, EventStore, FailedEvent, StoredEvent } from './types.ts';

/** One attempt to run an event: the function's version is chosen, for all that the attempt does. */
export interface EventAttempt {
  /** What the function's configuration says of its asynchronous invokes. */
  readonly policy: EventPolicy;
  /** Runs the event as a synchronous invoke. Never rejects for what the function does. */
  invoke(): Promise<EventResult>;
}

export interface EventFunctions {
  /** Resolves the event's function as it is now; `undefined` if there is none. */
  resolve(event: StoredEvent): Promise<EventAttempt | undefined>;
}

/** Hands one message over; rejects if it could not. */
export interface Destinations {
  deliver(delivery: Delivery, event: StoredEvent): Promise<void>;
}

export interface PollerOptions {
  readonly store: EventStore;
  readonly functions: EventFunctions;
  readonly destinations: Destinations;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly invokesAtOnce?: number;
  readonly times?: RetryTimes;
}

/**
 * Runs events to their end: claims what is due, invokes, retries, tells destinations and dead
 * letter queues. Each step is in the store before the next, so a crash repeats at most one.
 */
export class Poller {
  readonly #options: PollerOptions;
  readonly #times: RetryTimes;
  readonly #invokesAtOnce: number;
  readonly #running = new Set<Promise<void>>();
  #polling: Promise<void> | undefined;
  #again = false;
  #closed = false;
  #timer: Timer | undefined;

  constructor(options: PollerOptions) {
    this.#options = options;
    this.#times = options.times ?? lambdaRetryTimes;
    this.#invokesAtOnce = options.invokesAtOnce ?? limits.queue.invokesAtOnce;
  }

  /** Looks for due events now: at start, and whenever one was enqueued. Cheap to call often. */
  wake(): void {
    if (this.#closed) return;
    this.#again = true;
    this.#polling ??= this.#poll().finally(() => {
      this.#polling = undefined;
      if (this.#again) this.wake();
    });
  }

  /** Stops claiming, and waits for what is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#polling;
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #poll(): Promise<void> {
    const { store, clock, logger } = this.#options;
    try {
      while (this.#again && !this.#closed) {
        this.#again = false;
        const room = this.#invokesAtOnce - this.#running.size;
        if (room === 0) return;
        const events = await store.claim(clock.nowMs(), room);
        for (const event of events) this.#start(event);
        if (events.length === room) this.#again = true;
      }
      if (!this.#closed) this.#sleepUntil(await store.nextDueMs());
    } catch (error) {
      if (this.#closed) return;
      logger.error({ error }, 'the event queue cannot be read; it is tried again');
      this.#sleepUntil(clock.nowMs() + this.#times.backoffMinMs);
    }
  }

  #sleepUntil(dueMs: number | undefined): void {
    this.#timer?.cancel();
    if (dueMs === undefined) return;
    const { clock } = this.#options;
    this.#timer = clock.setTimer(Math.max(1, dueMs - clock.nowMs()), () => this.wake());
  }

  #start(event: StoredEvent): void {
    const { requestId } = event;
    const running = this.#run(event)
      .catch((error) => {
        this.#options.logger.error({ requestId, error }, 'an event is left for the next start');
      })
      .finally(() => {
        this.#running.delete(running);
        this.wake();
      });
    this.#running.add(running);
  }

  async #run(event: StoredEvent): Promise<void> {
    if (event.ending) return this.#conclude(event, event.ending);
    const decision = await this.#attempt(event);
    const { progress } = decision;
    const release = decision.kind === 'again';
    if (release || (progress.ending && progress.ending.deliveries.length > 0)) {
      await this.#durably(() => this.#options.store.save(event.eventId, progress, release));
    }
    if (progress.ending) await this.#conclude({ ...event, ...progress }, progress.ending);
  }

  async #attempt(event: StoredEvent): Promise<Decision> {
    const { clock, functions } = this.#options;
    const attempt = await functions.resolve(event);
    if (!attempt) {
      return decideAfter(event, { kind: 'deleted' }, noPolicy, clock.nowMs(), this.#times);
    }
    const { policy } = attempt;
    const tooOld = decideBefore(event, policy, clock.nowMs());
    if (tooOld) return tooOld;
    const result = await this.#invoke(attempt, event);
    return decideAfter(event, result, policy, clock.nowMs(), this.#times);
  }

  async #invoke(attempt: EventAttempt, { requestId }: StoredEvent): Promise<EventResult> {
    try {
      return await attempt.invoke();
    } catch (error) {
      this.#options.logger.warn({ requestId, error }, 'an event was not run');
      return { kind: 'refused' };
    }
  }

  /** Hands over what is left to tell, then forgets the event, remembering a failure. */
  async #conclude(event: StoredEvent, ending: EventEnding): Promise<void> {
    const { store, clock, logger } = this.#options;
    const left: Delivery[] = [];
    for (const delivery of ending.deliveries) {
      try {
        await this.#options.destinations.deliver(delivery, event);
      } catch (error) {
        const { requestId } = event;
        logger.warn({ requestId, target: delivery.target, error }, 'a delivery failed');
        left.push(delivery);
      }
    }
    const attempts = ending.attempts + 1;
    if (left.length > 0 && attempts < limits.queue.deliveryAttempts) {
      const delayMs = this.#times.backoffMinMs * 4 ** ending.attempts;
      const visibleAtMs = clock.nowMs() + Math.min(delayMs, this.#times.backoffMaxMs);
      const { invokes, refusals } = event;
      const rest = { condition: ending.condition, deliveries: left, attempts };
      const progress = { visibleAtMs, invokes, refusals, ending: rest };
      return this.#durably(() => store.save(event.eventId, progress, true));
    }
    const failure = failureOf(event, ending, clock.nowMs());
    await this.#durably(() => store.remove(event.eventId, failure));
  }

  /** A store that cannot write, on a full disk say, is tried until it can or this one closes. */
  async #durably(write: () => Promise<void>): Promise<void> {
    for (let delayMs = this.#times.backoffMinMs; ; delayMs *= 2) {
      try {
        await write();
        return;
      } catch (error) {
        if (this.#closed) throw error;
        this.#options.logger.error({ error }, 'the event queue cannot be written; trying again');
        await this.#options.clock.sleep(Math.min(delayMs, this.#times.backoffMaxMs));
      }
    }
  }
}

/** For an event whose function is gone: there is nobody to retry for and nobody to tell. */
const noPolicy: EventPolicy = { functionArn: '', maximumRetryAttempts: 0, maximumEventAgeMs: 0 };

function failureOf(
  event: StoredEvent,
  { condition }: EventEnding,
  failedMs: number,
): FailedEvent | undefined {
  if (condition === 'Success') return undefined;
  const { requestId, accountId, functionName, invokes } = event;
  return { requestId, accountId, functionName, condition, invokes, failedMs };
}
