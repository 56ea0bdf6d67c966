import { type Clock, type Logger, limits, Semaphore } from '../../base/mod.ts';
import { MappingPoller } from './mapping-poller.ts';
import type { BatchInvoker, MappingBook, MessageSource, SourceMapping } from './types.ts';

export interface EventSourcesOptions {
  readonly book: MappingBook;
  readonly source: MessageSource;
  readonly invoker: BatchInvoker;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Runs a poller for each mapping that is enabled, and follows what becomes of the mappings. */
export class EventSources {
  readonly #options: EventSourcesOptions;
  readonly #receives = new Semaphore(limits.eventSources.receivesAtOnce);
  readonly #pollers = new Map<string, MappingPoller>();
  /** Mappings that are being brought in line, and those that changed meanwhile. */
  readonly #working = new Map<string, Promise<void>>();
  readonly #changed = new Set<string>();
  #unwatch: () => void = () => {};
  #closed = false;

  constructor(options: EventSourcesOptions) {
    this.#options = options;
  }

  /** Takes up all mappings, also changes of them that an earlier life left unfinished. */
  async start(): Promise<void> {
    this.#unwatch = this.#options.book.watch((uuid) => this.#touch(uuid));
    for (const { uuid } of await this.#options.book.all()) this.#touch(uuid);
  }

  /** Stops receiving; batches under way get `graceMs`, and come again where that is too short. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    this.#unwatch();
    const stopped = Promise.all([
      ...this.#working.values(),
      ...[...this.#pollers.values()].map((poller) => poller.stop()),
    ]);
    const graceOver = new AbortController();
    const { clock } = this.#options;
    const grace = clock.sleep(graceMs, graceOver.signal).catch(() => {});
    await Promise.race([stopped, grace]);
    graceOver.abort();
  }

  #touch(uuid: string): void {
    if (this.#closed) return;
    this.#changed.add(uuid);
    if (this.#working.has(uuid)) return;
    const work = this.#follow(uuid).finally(() => this.#working.delete(uuid));
    this.#working.set(uuid, work);
  }

  async #follow(uuid: string): Promise<void> {
    const { logger, clock } = this.#options;
    while (this.#changed.delete(uuid) && !this.#closed) {
      try {
        await this.#reconcile(uuid);
      } catch (error) {
        logger.error({ uuid, error }, 'an event source mapping is left as it is for now');
        clock.setTimer(limits.eventSources.pauseMaxMs, () => this.#touch(uuid));
      }
    }
  }

  async #reconcile(uuid: string): Promise<void> {
    const { book } = this.#options;
    const mapping = await book.read(uuid);
    const runs = mapping?.enabled === true && mapping.state !== 'Deleting';
    const current = this.#pollers.get(uuid);
    if (current && !(runs && current.mapping.revision === mapping.revision)) {
      await current.stop();
      this.#pollers.delete(uuid);
    }
    if (!mapping || this.#closed) return;
    if (runs && !this.#pollers.has(uuid)) this.#run(mapping);
    if (mapping.state === 'Enabled' || mapping.state === 'Disabled') return;
    const reached = mapping.enabled ? 'Enabled' : 'Disabled';
    const state = mapping.state === 'Deleting' ? 'Deleted' : reached;
    await book.settle(uuid, mapping.revision, state);
  }

  #run(mapping: SourceMapping): void {
    const { source, invoker, clock, logger } = this.#options;
    const receives = this.#receives;
    const poller = new MappingPoller({ mapping, source, invoker, receives, clock, logger });
    this.#pollers.set(mapping.uuid, poller);
    poller.start();
  }
}
