import { join } from 'node:path';
import { isSluiceError, type Logger, type Meter, SluiceError, systemClock } from '../base/mod.ts';
import type { DataDirectory } from '../config/mod.ts';
import { type OnDamaged, reportDamaged } from '../database/mod.ts';
import {
  type BatchInvoker,
  EventSources,
  type MappingBook,
  type MessageSource,
} from '../queue/mod.ts';
import { type EventSourceMappingStore, SqliteEventSourceMappings } from '../records/mod.ts';
import type { EventSourceSupport } from './events.ts';
import { meteredBatches, meteredSource } from './metered-queues.ts';
import type { QueuedInvokes } from './queued-invokes.ts';
import type { SqsQueues } from './sqs-queues.ts';

export interface QueueBatchesOptions {
  readonly data: DataDirectory;
  /** Absent where no queues are set. */
  readonly queues: SqsQueues | undefined;
  readonly meter: Meter;
  readonly logger: Logger;
}

/** The event source mappings of a region, and what reads their queues in this process. */
export class QueueBatches {
  readonly support: EventSourceSupport;
  readonly #store: EventSourceMappingStore;
  readonly #queues: SqsQueues | undefined;
  readonly #meter: Meter;
  readonly #logger: Logger;
  #sources: EventSources | undefined;

  private constructor(store: EventSourceMappingStore, options: QueueBatchesOptions) {
    const { queues, meter, logger } = options;
    this.#store = store;
    this.#queues = queues;
    this.#meter = meter;
    this.#logger = logger;
    this.support = { mappings: store, queues };
  }

  static open(options: QueueBatchesOptions): QueueBatches {
    const path = join(options.data.state, 'mappings.sqlite');
    return new QueueBatches(SqliteEventSourceMappings.open(path), options);
  }

  /** Reads queues from now on. Without any set, mappings made earlier wait, and can be deleted. */
  async start(queued: QueuedInvokes): Promise<void> {
    this.#sources = new EventSources({
      book: mappingBook(this.#store, reportDamaged(this.#logger, this.#meter)),
      source: meteredSource(this.#queues ?? noQueues, this.#meter),
      invoker: meteredBatches(batchInvoker(queued), this.#meter),
      clock: systemClock,
      logger: this.#logger,
    });
    await this.#sources.start();
  }

  async close(graceMs: number): Promise<void> {
    await this.#sources?.close(graceMs);
    await this.#store.close();
  }
}

async function refuse(): Promise<never> {
  throw new SluiceError('QUEUE_SERVICE_UNAVAILABLE', 'sqs: not set; `sluice config set sqs {…}`');
}

const noQueues: MessageSource = { receive: refuse, remove: refuse };

/** The store as the pollers see it. */
export function mappingBook(store: EventSourceMappingStore, onDamaged?: OnDamaged): MappingBook {
  return {
    all: () => store.all(onDamaged),
    read: (uuid) => store.read(uuid),
    watch: (listener) => store.watch(listener),
    async settle(uuid, revision, state) {
      try {
        await store.change(uuid, (current) => {
          if (current.revision !== revision) return current;
          return state === 'Deleted' ? undefined : { ...current, state };
        });
      } catch (error) {
        if (!isSluiceError(error, 'MAPPING_NOT_FOUND')) throw error;
      }
    },
  };
}

function batchInvoker(queued: QueuedInvokes): BatchInvoker {
  return {
    ready: (mapping) => queued.serves(mapping),
    async invoke(mapping, payload) {
      const outcome = await queued.invokeBatch(mapping, payload);
      if (outcome.kind === 'ok' || outcome.kind === 'function-error') return outcome;
      return { kind: 'refused' };
    },
  };
}
