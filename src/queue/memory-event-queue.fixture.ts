import { assert, limits } from '../base/mod.ts';
import { EventBytes, sizeOf } from './event-bytes.ts';
import { FailureShares } from './failure-shares.ts';
import { queuesOf, requireRoom, shortest } from './fair-share.ts';
import type {
  AsyncEvent,
  EventCapacity,
  EventProgress,
  EventStore,
  FailedEvent,
  QueueStats,
  StoredEvent,
} from './types.ts';

/** Events in memory: for tests, and the model that the other stores follow. */
export class MemoryEventQueue implements EventStore {
  readonly #queues: Map<number, StoredEvent>[];
  readonly #queueOf = new Map<number, number>();
  readonly #claimed = new Set<number>();
  readonly #eventsMax: number;
  readonly #shares: FailureShares;
  readonly #bytes: EventBytes;
  #failures: FailedEvent[] = [];
  #eventsEver = 0;
  #turn = 0;

  constructor({ events, failures, bytes }: EventCapacity = {}) {
    this.#bytes = new EventBytes(bytes ?? limits.queue.bytes);
    this.#eventsMax = events ?? limits.queue.events;
    this.#shares = new FailureShares(failures ?? limits.queue.failures);
    this.#queues = Array.from({ length: limits.queue.queues }, () => new Map());
  }

  async enqueue(event: AsyncEvent): Promise<void> {
    const { queues, queuesPerFunction } = limits.queue;
    const candidates = queuesOf(
      `${event.accountId}/${event.functionName}`,
      queues,
      queuesPerFunction,
    );
    const queue = shortest(candidates, (each) => this.#queues[each]?.size ?? 0);
    const depth = this.#queues[queue]?.size ?? 0;
    const events = this.#queueOf.size;
    requireRoom(event.functionName, { depth, events, eventsMax: this.#eventsMax });
    const size = sizeOf(event);
    this.#bytes.requireRoom(size);
    this.#bytes.add(size);
    const eventId = ++this.#eventsEver;
    const progress = { visibleAtMs: event.receivedMs, invokes: 0, refusals: 0 };
    this.#queues[queue]?.set(eventId, { ...event, ...progress, eventId });
    this.#queueOf.set(eventId, queue);
  }

  async shift(byMs: number): Promise<void> {
    for (const queue of this.#queues) {
      for (const [eventId, event] of queue) {
        const { visibleAtMs, receivedMs } = event;
        const moved = { visibleAtMs: visibleAtMs + byMs, receivedMs: receivedMs + byMs };
        queue.set(eventId, { ...event, ...moved });
      }
    }
  }

  async claim(nowMs: number, limit: number): Promise<StoredEvent[]> {
    const claimed: StoredEvent[] = [];
    const count = this.#queues.length;
    for (let idle = 0; claimed.length < limit && idle < count; this.#turn++) {
      const due = this.#nextOf(this.#turn % count, nowMs);
      if (!due) idle++;
      else {
        idle = 0;
        this.#claimed.add(due.eventId);
        claimed.push(due);
      }
    }
    return claimed;
  }

  #nextOf(queue: number, nowMs: number): StoredEvent | undefined {
    let next: StoredEvent | undefined;
    const events = [...(this.#queues[queue]?.values() ?? [])];
    const unclaimed = events.filter((event) => !this.#claimed.has(event.eventId));
    if (events.length - unclaimed.length >= limits.queue.claimsPerQueue) return undefined;
    for (const event of unclaimed) {
      if (event.visibleAtMs > nowMs) continue;
      if (!next || event.visibleAtMs < next.visibleAtMs) next = event;
    }
    return next;
  }

  async save(eventId: number, progress: EventProgress, release: boolean): Promise<void> {
    assert(this.#claimed.has(eventId), `event ${eventId}: saved by who has claimed it`);
    const queue = this.#queues[this.#queueOf.get(eventId) ?? -1];
    const event = queue?.get(eventId);
    assert(queue && event, `event ${eventId} is there`);
    const saved = { ...event, lastAnswer: undefined, ...progress };
    queue.set(eventId, saved);
    this.#bytes.remove(sizeOf(event));
    this.#bytes.add(sizeOf(saved));
    if (release) this.#claimed.delete(eventId);
  }

  async remove(eventId: number, failure?: FailedEvent): Promise<void> {
    const queue = this.#queues[this.#queueOf.get(eventId) ?? -1];
    const event = queue?.get(eventId);
    if (event) this.#bytes.remove(sizeOf(event));
    queue?.delete(eventId);
    this.#queueOf.delete(eventId);
    this.#claimed.delete(eventId);
    if (!failure) return;
    this.#failures.push(failure);
    const fullest = this.#shares.add(failure.accountId);
    if (fullest === undefined) return;
    const oldest = this.#failures.findIndex(({ accountId }) => accountId === fullest);
    this.#failures.splice(oldest, 1);
  }

  async nextDueMs(): Promise<number | undefined> {
    const next = this.#queues.map((_, queue) => this.#nextOf(queue, Number.POSITIVE_INFINITY));
    const dues = next.flatMap((event) => (event ? [event.visibleAtMs] : []));
    return dues.length === 0 ? undefined : Math.min(...dues);
  }

  async failures(accountId: string, limit: number): Promise<FailedEvent[]> {
    const own = this.#failures.filter((failure) => failure.accountId === accountId);
    return own.reverse().slice(0, limit);
  }

  async stats(): Promise<QueueStats> {
    const received = this.#queues.flatMap((queue) => [...queue.values()].map((e) => e.receivedMs));
    const oldestReceivedMs = received.length === 0 ? undefined : Math.min(...received);
    return { events: this.#queueOf.size, claimed: this.#claimed.size, oldestReceivedMs };
  }

  async close(): Promise<void> {}
}
