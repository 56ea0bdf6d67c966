import { type Clock, WallSteps } from '../base/mod.ts';
import type {
  AsyncEvent,
  EventProgress,
  EventStore,
  FailedEvent,
  QueueStats,
  StoredEvent,
} from './types.ts';

/**
 * Moves what a store holds with the wall clock when that is set: set back by an hour, no event waits an
 * hour longer; set ahead, none is an hour older, and given up. Only while this process runs.
 */
export class StepFollowingEvents implements EventStore {
  readonly #store: EventStore;
  readonly #steps: WallSteps;

  constructor(store: EventStore, clock: Clock) {
    this.#store = store;
    this.#steps = new WallSteps(clock);
  }

  async enqueue(event: AsyncEvent): Promise<void> {
    await this.#follow();
    await this.#store.enqueue(event);
  }

  async claim(nowMs: number, limit: number): Promise<StoredEvent[]> {
    await this.#follow();
    return await this.#store.claim(nowMs, limit);
  }

  async save(eventId: number, progress: EventProgress, release: boolean): Promise<void> {
    await this.#follow();
    await this.#store.save(eventId, progress, release);
  }

  remove(eventId: number, failure?: FailedEvent): Promise<void> {
    return this.#store.remove(eventId, failure);
  }

  async nextDueMs(): Promise<number | undefined> {
    await this.#follow();
    return await this.#store.nextDueMs();
  }

  failures(accountId: string, limit: number): Promise<FailedEvent[]> {
    return this.#store.failures(accountId, limit);
  }

  stats(): Promise<QueueStats> {
    return this.#store.stats();
  }

  shift(byMs: number): Promise<void> {
    return this.#store.shift(byMs);
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #follow(): Promise<void> {
    const stepMs = this.#steps.take();
    if (stepMs !== 0) await this.#store.shift(stepMs);
  }
}
