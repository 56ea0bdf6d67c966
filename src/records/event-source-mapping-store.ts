import { limits, SluiceError } from '../base/mod.ts';
import type { OnDamaged } from '../database/mod.ts';

/** What the API shows; those that end in -ing become the one that they lead to. */
export type MappingState =
  | 'Creating'
  | 'Enabling'
  | 'Enabled'
  | 'Disabling'
  | 'Disabled'
  | 'Updating'
  | 'Deleting';

/** A function that is invoked with batches of messages of a queue. */
export interface EventSourceMappingRecord {
  readonly uuid: string;
  readonly accountId: string;
  readonly functionName: string;
  /** As the caller gave it; resolved again for each batch. */
  readonly qualifier?: string;
  /** The queue: `arn:aws:sqs:REGION:ACCOUNT:NAME`. */
  readonly eventSourceArn: string;
  readonly batchSize: number;
  readonly batchingWindowSeconds: number;
  /** Event patterns as the caller wrote them, of which one must match; absent for all messages. */
  readonly filters?: readonly string[];
  readonly maximumConcurrency?: number;
  /** Kept for the tools that set it: the region's own metrics count each mapping's events anyway. */
  readonly metrics?: readonly string[];
  /** Kept as `metrics` is; pollers here scale by themselves. */
  readonly provisionedPollers?: { readonly minimum?: number; readonly maximum?: number };
  /** Whether the function's answer names the messages that failed. */
  readonly reportsItemFailures: boolean;
  /** What the caller wants; `state` follows. */
  readonly enabled: boolean;
  readonly state: MappingState;
  /** Counts the caller's changes: what settles an older one comes too late. */
  readonly revision: number;
  readonly lastModifiedMs: number;
  readonly tags: Readonly<Record<string, string>>;
}

/** Which mappings of an account a list shows. */
export interface MappingFilter {
  readonly accountId: string;
  readonly eventSourceArn?: string | undefined;
  readonly functionName?: string | undefined;
  /** Only with `functionName`. */
  readonly qualifier?: string | undefined;
}

/** The durable record of event source mappings. What a call resolved survives a crash of the host. */
export interface EventSourceMappingStore {
  /**
   * Rejects with `MAPPING_EXISTS`, whose data name the `uuid`, when the function is mapped to the
   * source already, and with `OVERLOADED` when the store holds all that it may, of the account or
   * in all.
   */
  insert(record: EventSourceMappingRecord): Promise<void>;
  read(uuid: string): Promise<EventSourceMappingRecord | undefined>;
  /**
   * Reads, calls `change` once, writes what it returns or removes the record for `undefined`;
   * whatever `change` throws ends it with nothing written. Rejects with `MAPPING_NOT_FOUND`, and
   * with `MAPPING_EXISTS` as `insert` does.
   */
  change(
    uuid: string,
    change: (current: EventSourceMappingRecord) => EventSourceMappingRecord | undefined,
  ): Promise<EventSourceMappingRecord | undefined>;
  /**
   * In the order of their UUIDs, from the first after `after`. With `onDamaged` a record that cannot be
   * read is reported and skipped; without, it is the error of the whole list.
   */
  list(
    filter: MappingFilter,
    after: string | undefined,
    limit: number,
    onDamaged?: OnDamaged,
  ): Promise<EventSourceMappingRecord[]>;
  /** Those of all accounts; as `list` for damaged ones. */
  all(onDamaged?: OnDamaged): Promise<EventSourceMappingRecord[]>;
  /** Calls `listener` after each write, before the write resolves. Returns what ends it. */
  watch(listener: (uuid: string) => void): () => void;
  close(): Promise<void>;
}

/** What no two mappings share. */
export function mappingIdentity(record: EventSourceMappingRecord): string {
  const { accountId, functionName, qualifier = '', eventSourceArn } = record;
  return `${accountId}:${functionName}:${qualifier} ${eventSourceArn}`;
}

/** How many mappings one account has, and all have together. */
export interface MappingCounts {
  readonly own: number;
  readonly all: number;
}

/** How many mappings there may be. */
export class MappingLimits {
  readonly #most: MappingCounts;

  constructor({ own, all }: Partial<MappingCounts>) {
    const { mappings, mappingsPerAccount } = limits.eventSources;
    this.#most = { own: own ?? mappingsPerAccount, all: all ?? mappings };
  }

  /** Throws `OVERLOADED` unless there is room for one more beside those that there are. */
  require({ accountId, eventSourceArn }: EventSourceMappingRecord, counts: MappingCounts): void {
    if (counts.own < this.#most.own && counts.all < this.#most.all) return;
    throw new SluiceError(
      'OVERLOADED',
      `${eventSourceArn}: ${accountId} has ${counts.own} event source mappings, all accounts have ` +
        `${counts.all}; delete one first`,
    );
  }
}
