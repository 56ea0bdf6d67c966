import { join } from 'node:path';
import {
  type Logger,
  limits,
  type Meter,
  type Random,
  SluiceError,
  systemClock,
} from '../base/mod.ts';
import { type DataDirectory, defaultAccountId } from '../config/mod.ts';
import { reportDamaged } from '../database/mod.ts';
import type { OutboundSettings } from '../outbound/mod.ts';
import { type EventStore, Poller, SqliteEventQueue, StepFollowingEvents } from '../queue/mod.ts';
import { DirectoryDeliveries } from './directory-deliveries.ts';
import { EventDestinations, type QueueSender, type TopicPublisher } from './event-destinations.ts';
import type { ConfigurerRights, EventQueue, QueuedEvent } from './events.ts';
import { HttpDeliveries } from './http-deliveries.ts';
import { meteredDestinations, meteredEvents } from './metered-queues.ts';
import type { QueuedInvokes } from './queued-invokes.ts';

export interface AsyncEventsOptions {
  readonly data: DataDirectory;
  /** Then no event is taken in. */
  readonly isDiskLow: () => boolean;
  /** For webhooks and queue URLs. */
  readonly outbound: OutboundSettings;
  readonly queues: QueueSender | undefined;
  readonly topics: TopicPublisher | undefined;
  readonly meter: Meter;
  readonly logger: Logger;
  readonly random: Random;
}

/** The queue of asynchronous invokes and what runs them, in this process. */
export class AsyncEvents implements EventQueue {
  readonly #store: EventStore;
  readonly #meter: Meter;
  readonly #isDiskLow: () => boolean;
  readonly #logger: Logger;
  readonly #random: Random;
  readonly #directories: DirectoryDeliveries;
  readonly #http: HttpDeliveries;
  readonly #queues: QueueSender | undefined;
  readonly #topics: TopicPublisher | undefined;
  #poller: Poller | undefined;

  private constructor(store: EventStore, options: AsyncEventsOptions) {
    const { data, outbound, queues, topics, meter, logger, random } = options;
    this.#store = store;
    this.#isDiskLow = options.isDiskLow;
    const { directoryBytesPerAccount } = limits.queue;
    this.#directories = new DirectoryDeliveries(data.destinations, directoryBytesPerAccount);
    this.#queues = queues;
    this.#topics = topics;
    this.#meter = meter;
    this.#logger = logger;
    this.#random = random;
    // The default account's keys lie on this host: who has them is its operator.
    this.#http = new HttpDeliveries(outbound, [defaultAccountId], systemClock);
  }

  static async open(options: AsyncEventsOptions): Promise<AsyncEvents> {
    const path = join(options.data.state, 'events.sqlite');
    const onDamaged = reportDamaged(options.logger, options.meter);
    const store = await SqliteEventQueue.open({ path, onDamaged });
    return new AsyncEvents(new StepFollowingEvents(store, systemClock), options);
  }

  async enqueue(event: QueuedEvent): Promise<void> {
    if (this.#isDiskLow()) {
      throw new SluiceError('OVERLOADED', `${event.functionName}: the disk has no room for events`);
    }
    await this.#store.enqueue(event);
    this.#poller?.wake();
  }

  /** Takes up what an earlier life left, and runs events from now on. */
  start(queued: QueuedInvokes, rights: ConfigurerRights): void {
    const destinations = new EventDestinations({
      rights,
      directories: this.#directories,
      http: this.#http,
      queues: this.#queues,
      topics: this.#topics,
      enqueue: (event) => this.enqueue(event),
      clock: systemClock,
      random: this.#random,
    });
    this.#poller = new Poller({
      store: this.#store,
      functions: meteredEvents(queued, this.#meter),
      destinations: meteredDestinations(destinations, this.#meter),
      clock: systemClock,
      logger: this.#logger,
    });
    this.#poller.wake();
  }

  /** Stops claiming events; those under way end or stay in the queue. */
  async close(): Promise<void> {
    await this.#poller?.close();
    await this.#http.close();
    await this.#store.close();
  }
}
