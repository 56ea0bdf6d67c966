import {
  type Clock,
  type Logger,
  limits,
  MIB,
  type Semaphore,
  type Timer,
} from '../../base/mod.ts';
import { batchEvent, selectMessages, succeededMessages } from './batch.ts';
import { type EventPattern, readEventPattern } from './event-pattern.ts';
import {
  beginScaling,
  receivesWanted,
  type Scaling,
  type ScalingEvent,
  scalingStep,
} from './scaling.ts';
import type {
  BatchInvoker,
  BatchOutcome,
  MessageSource,
  QueueMessage,
  SourceMapping,
} from './types.ts';

export interface MappingPollerOptions {
  readonly mapping: SourceMapping;
  readonly source: MessageSource;
  readonly invoker: BatchInvoker;
  /** Shared by all mappings: one permit an open receive. */
  readonly receives: Semaphore;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Reads one mapping's queue and invokes its function with what it holds. A message is deleted only
 * when the function has taken it; all else comes again when the queue's visibility timeout is over,
 * so a crash at any moment loses nothing and may run a batch twice.
 */
export class MappingPoller {
  readonly mapping: SourceMapping;
  readonly #options: MappingPollerOptions;
  readonly #patterns: readonly EventPattern[];
  readonly #maximum: number;
  readonly #closing = new AbortController();
  readonly #batches = new Set<Promise<void>>();
  #scaling: Scaling;
  #receiving = 0;
  #timer: Timer | undefined;

  /** Throws `EVENT_PATTERN_INVALID` for filters that were never checked. */
  constructor(options: MappingPollerOptions) {
    this.#options = options;
    this.mapping = options.mapping;
    this.#patterns = (options.mapping.filters ?? []).map(readEventPattern);
    this.#maximum = options.mapping.maximumConcurrency ?? limits.eventSources.batchesAtOnce;
    this.#scaling = beginScaling(options.clock.monotonicMs(), this.#maximum);
  }

  start(): void {
    this.#fill();
  }

  /** Stops receiving, and waits until the batches under way are done. */
  async stop(): Promise<void> {
    this.#closing.abort();
    this.#timer?.cancel();
    while (this.#batches.size > 0) await Promise.all(this.#batches);
  }

  #step(event: ScalingEvent): void {
    this.#scaling = scalingStep(
      this.#scaling,
      event,
      this.#options.clock.monotonicMs(),
      this.#maximum,
    );
  }

  /** Opens as many receives as there should be. */
  #fill(): void {
    if (this.#closing.signal.aborted) return;
    const { clock } = this.#options;
    const nowMs = clock.monotonicMs();
    const underWay = { receiving: this.#receiving, running: this.#batches.size - this.#receiving };
    const wanted = receivesWanted(this.#scaling, underWay, nowMs);
    for (let i = 0; i < wanted; i++) this.#begin();
    const { pausedUntilMs } = this.#scaling;
    if (nowMs >= pausedUntilMs) return;
    this.#timer?.cancel();
    this.#timer = clock.setTimer(pausedUntilMs - nowMs, () => this.#fill());
  }

  #begin(): void {
    this.#receiving++;
    const batch = this.#batch().finally(() => {
      this.#batches.delete(batch);
      this.#fill();
    });
    this.#batches.add(batch);
  }

  /** From a receive to a delete; what goes wrong is logged, and slows the next down. */
  async #batch(): Promise<void> {
    let first: QueueMessage[] = [];
    try {
      first = await this.#firstMessages();
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#failed(error, 'a queue was not read');
    } finally {
      this.#receiving--;
    }
    if (first.length === 0) return;
    this.#fill();
    try {
      await this.#deal(await this.#gather(first));
    } catch (error) {
      this.#failed(error, 'a batch is left to its queue');
    }
  }

  #failed(error: unknown, what: string): void {
    const { uuid, eventSourceArn } = this.mapping;
    this.#options.logger.warn({ uuid, eventSourceArn, error }, what);
    this.#step({ kind: 'refused' });
  }

  async #firstMessages(): Promise<QueueMessage[]> {
    const { invoker } = this.#options;
    if (!(await invoker.ready(this.mapping))) {
      this.#step({ kind: 'refused' });
      return [];
    }
    const messages = await this.#receive(
      this.mapping.batchSize,
      limits.eventSources.receiveWaitSeconds,
    );
    this.#step({ kind: 'received', messages: messages.length });
    return messages;
  }

  async #receive(room: number, waitSeconds: number): Promise<QueueMessage[]> {
    const { source, receives } = this.#options;
    const { signal } = this.#closing;
    const count = Math.min(room, limits.eventSources.messagesPerReceive);
    return receives.run(() => source.receive(this.mapping, { count, waitSeconds }, signal), signal);
  }

  /** Collects until the batch is full, its window is over or the event would grow too large. */
  async #gather(first: QueueMessage[]): Promise<QueueMessage[]> {
    const { clock } = this.#options;
    const { batchSize, batchingWindowSeconds } = this.mapping;
    const endMs = clock.monotonicMs() + batchingWindowSeconds * 1000;
    const gathered = [...first];
    let sizeBytes = sizeOf(first);
    while (gathered.length < batchSize && !this.#closing.signal.aborted) {
      const leftSeconds = Math.floor((endMs - clock.monotonicMs()) / 1000);
      if (leftSeconds < 1 || sizeBytes > MAX_GATHERED_BYTES) break;
      const waitSeconds = Math.min(leftSeconds, limits.eventSources.receiveWaitSeconds);
      const more = await this.#more(batchSize - gathered.length, waitSeconds);
      gathered.push(...more);
      sizeBytes += sizeOf(more);
    }
    return gathered;
  }

  /** What is gathered already is worth an invoke, also when the queue has stopped answering. */
  async #more(room: number, waitSeconds: number): Promise<QueueMessage[]> {
    try {
      return await this.#receive(room, waitSeconds);
    } catch (error) {
      const { clock, logger } = this.#options;
      logger.debug({ uuid: this.mapping.uuid, error }, 'a batch was not filled');
      const { pauseMinMs } = limits.eventSources;
      await clock.sleep(pauseMinMs, this.#closing.signal).catch(() => {});
      return [];
    }
  }

  async #deal(messages: readonly QueueMessage[]): Promise<void> {
    const { source, invoker } = this.#options;
    const { taken, left } = selectMessages(this.mapping, this.#patterns, messages);
    if (left.length > 0) await source.remove(this.mapping, left);
    if (taken.length === 0) return;
    const outcome = await invoker.invoke(this.mapping, batchEvent(this.mapping, taken));
    this.#step({ kind: outcome.kind === 'refused' ? 'refused' : 'answered' });
    const done = this.#done(taken, outcome);
    if (done.length > 0) await source.remove(this.mapping, done);
  }

  #done(messages: readonly QueueMessage[], outcome: BatchOutcome): readonly QueueMessage[] {
    if (outcome.kind !== 'ok') return [];
    if (!this.mapping.reportsItemFailures) return messages;
    return succeededMessages(messages, outcome.payload);
  }
}

/** Of `Records`, as JSON: with one more receive of the largest, an event is still within its limit. */
const MAX_GATHERED_BYTES = limits.lambda.syncPayloadBytes - 2 * MIB;

function sizeOf(messages: readonly QueueMessage[]): number {
  return messages.reduce((sum, each) => sum + Buffer.byteLength(JSON.stringify(each)), 0);
}
