import { SluiceError } from '../../base/mod.ts';
import {
  type EventSourceMappingRecord,
  type EventSourceMappingStore,
  type MappingCounts,
  type MappingFilter,
  MappingLimits,
  mappingIdentity,
} from '../event-source-mapping-store.ts';

/** For tests: the contract of the store without its durability. */
export class MemoryEventSourceMappings implements EventSourceMappingStore {
  readonly #records = new Map<string, EventSourceMappingRecord>();
  readonly #listeners = new Set<(uuid: string) => void>();
  readonly #limits: MappingLimits;

  constructor(options: Partial<MappingCounts> = {}) {
    this.#limits = new MappingLimits(options);
  }

  async insert(record: EventSourceMappingRecord): Promise<void> {
    const accounts = [...this.#records.values()].map((each) => each.accountId);
    const own = accounts.filter((each) => each === record.accountId).length;
    this.#limits.require(record, { own, all: accounts.length });
    this.#put(record);
  }

  async read(uuid: string): Promise<EventSourceMappingRecord | undefined> {
    return structuredClone(this.#records.get(uuid));
  }

  async change(
    uuid: string,
    change: (current: EventSourceMappingRecord) => EventSourceMappingRecord | undefined,
  ): Promise<EventSourceMappingRecord | undefined> {
    const current = this.#records.get(uuid);
    if (!current) throw new SluiceError('MAPPING_NOT_FOUND', `${uuid}: no such mapping`);
    const changed = change(structuredClone(current));
    if (changed) this.#put(changed);
    else {
      this.#records.delete(uuid);
      this.#announce(uuid);
    }
    return changed;
  }

  async list(
    filter: MappingFilter,
    after: string | undefined,
    limit: number,
  ): Promise<EventSourceMappingRecord[]> {
    const { accountId, eventSourceArn, functionName, qualifier } = filter;
    return (await this.all())
      .filter(
        (each) =>
          each.accountId === accountId &&
          (after === undefined || each.uuid > after) &&
          (eventSourceArn === undefined || each.eventSourceArn === eventSourceArn) &&
          (functionName === undefined || each.functionName === functionName) &&
          (qualifier === undefined || each.qualifier === qualifier),
      )
      .slice(0, limit);
  }

  async all(): Promise<EventSourceMappingRecord[]> {
    return [...this.#records.values()]
      .sort((a, b) => (a.uuid < b.uuid ? -1 : 1))
      .map((each) => structuredClone(each));
  }

  watch(listener: (uuid: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
  }

  #put(record: EventSourceMappingRecord): void {
    const identity = mappingIdentity(record);
    for (const each of this.#records.values()) {
      if (each.uuid !== record.uuid && mappingIdentity(each) === identity) {
        throw new SluiceError('MAPPING_EXISTS', `${identity}: mapped already by ${each.uuid}`, {
          data: { uuid: each.uuid },
        });
      }
    }
    this.#records.set(record.uuid, structuredClone(record));
    this.#announce(record.uuid);
  }

  #announce(uuid: string): void {
    for (const listener of this.#listeners) listener(uuid);
  }
}
