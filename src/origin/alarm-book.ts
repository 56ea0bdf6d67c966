import type { Clock, Counter, Logger, Meter } from '../base/mod.ts';
import type { ObjectStore } from './object-store.ts';
import type { RootAlarm } from './origin.ts';

/**
 * Reads from expired roots, one object `alarms/<root>/<kind>/<name>` each until cleared: at most
 * as many as the root has objects, and seen by the process that deletes, whichever reads.
 */
export class AlarmBook {
  readonly #objects: ObjectStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #count: Counter;

  constructor(objects: ObjectStore, clock: Clock, meter: Meter, logger: Logger) {
    this.#objects = objects;
    this.#clock = clock;
    this.#logger = logger;
    this.#count = meter.counter(
      'sluice_origin_alarms_total',
      'Reads from expired roots; each stops all deletion until an operator resumes it.',
      ['kind'],
    );
  }

  /** Resolves once the alarm is durable: only then may the read be answered. */
  async raise(alarm: RootAlarm): Promise<void> {
    this.#count.add(1, { kind: alarm.kind });
    this.#logger.error({ ...alarm }, 'read from an expired root: deletion is stopped');
    const key = `alarms/${alarm.rootId}/${alarm.kind}/${alarm.name}`;
    const body = JSON.stringify({ atMs: this.#clock.nowMs() });
    await this.#objects.putIfAbsent(key, Buffer.from(body, 'utf8'));
    await this.#objects.settle([key]);
  }

  async *list(): AsyncIterable<RootAlarm> {
    for await (const key of this.#objects.list('alarms/')) {
      const [, rootId = '', kind, name = ''] = key.split('/');
      if (name !== '' && (kind === 'chunk' || kind === 'manifest')) yield { rootId, kind, name };
    }
  }

  async clear(): Promise<void> {
    for await (const key of this.#objects.list('alarms/')) await this.#objects.remove([key]);
  }
}
