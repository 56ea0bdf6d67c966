import { join } from 'node:path';
import { type Logger, type Random, systemClock } from '../base/mod.ts';
import type { DataDirectory } from '../config/mod.ts';
import type { EventQueue, QueuedEvent, QueuedInvokes } from '../frontend/mod.ts';
import { Poller, SqliteEventQueue } from '../queue/mod.ts';
import { EventDestinations } from './event-destinations.ts';

/** The queue of asynchronous invokes and what runs them, in this process. */
export class AsyncEvents implements EventQueue {
  readonly #store: SqliteEventQueue;
  readonly #logger: Logger;
  readonly #random: Random;
  readonly #directory: string;
  #poller: Poller | undefined;

  private constructor(store: SqliteEventQueue, directory: string, logger: Logger, random: Random) {
    this.#store = store;
    this.#directory = directory;
    this.#logger = logger;
    this.#random = random;
  }

  static async open(data: DataDirectory, logger: Logger, random: Random): Promise<AsyncEvents> {
    const store = await SqliteEventQueue.open({ path: join(data.state, 'events.sqlite') });
    return new AsyncEvents(store, data.destinations, logger, random);
  }

  async enqueue(event: QueuedEvent): Promise<void> {
    await this.#store.enqueue(event);
    this.#poller?.wake();
  }

  /** Takes up what an earlier life left, and runs events from now on. */
  start(queued: QueuedInvokes): void {
    this.#poller = new Poller({
      store: this.#store,
      invoker: queued,
      policies: queued,
      destinations: new EventDestinations({
        directory: this.#directory,
        enqueue: (event) => this.enqueue(event),
        clock: systemClock,
        random: this.#random,
      }),
      clock: systemClock,
      logger: this.#logger,
    });
    this.#poller.wake();
  }

  /** Claims no more events; those under way end or stay in the queue. */
  async close(): Promise<void> {
    await this.#poller?.close();
    await this.#store.close();
  }
}
