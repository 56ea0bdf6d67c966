import type { OnDamaged } from '../database/mod.ts';
import type { FunctionRecord, VersionRecord } from './records.ts';

export interface FunctionKey {
  readonly accountId: string;
  readonly name: string;
}

/** What an account uses of its quotas. */
export interface AccountTotals {
  readonly functions: number;
  readonly codeSizeBytes: number;
  /** What `concurrencySetAside` says of each function, added up. */
  readonly reservedConcurrency: number;
}

/** What a change writes, all of it or nothing. */
export interface FunctionChange {
  readonly function: FunctionRecord;
  readonly putVersions?: readonly VersionRecord[];
  readonly removeVersion?: number;
}

export interface UrlTarget extends FunctionKey {
  readonly qualifier: string;
}

/**
 * The durable record of all functions. A call that has resolved survives a crash of the process
 * and of the host. Every list is in the order of its key, so that a page's last key is its marker.
 */
export interface FunctionStore {
  /** Rejects with `FUNCTION_EXISTS` when the account already has the name. */
  insert(record: FunctionRecord, versions?: readonly VersionRecord[]): Promise<void>;

  read(key: FunctionKey): Promise<FunctionRecord | undefined>;

  /**
   * Reads, calls `change` once, writes what it returns, as one transaction; whatever `change`
   * throws ends it with nothing written. Must be pure: a store may call it again after a conflict.
   * Rejects with `FUNCTION_NOT_FOUND` when there is none.
   */
  change(
    key: FunctionKey,
    change: (current: FunctionRecord, totals: AccountTotals) => FunctionChange,
  ): Promise<FunctionRecord>;

  /** Deletes the function with everything that belongs to it; false when there was none. */
  remove(key: FunctionKey): Promise<boolean>;

  /**
   * Functions of an account by name, from the first after `after`. With `onDamaged` a record that
   * cannot be read is reported and skipped; without, it is the error of the whole list: what is to
   * be kept because of a function must not miss one.
   */
  list(
    accountId: string,
    after: string | undefined,
    limit: number,
    onDamaged?: OnDamaged,
  ): Promise<FunctionRecord[]>;

  readVersion(key: FunctionKey, version: number): Promise<VersionRecord | undefined>;

  /** Published versions by number, from the first after `after`; as `list` for damaged ones. */
  listVersions(
    key: FunctionKey,
    after: number,
    limit: number,
    onDamaged?: OnDamaged,
  ): Promise<VersionRecord[]>;

  totals(accountId: string): Promise<AccountTotals>;

  /** The accounts that have functions, in order. */
  accounts(): Promise<string[]>;

  findUrl(urlId: string): Promise<UrlTarget | undefined>;

  /** Functions with an install under way: after a restart, the work to take up again. */
  unfinished(onDamaged?: OnDamaged): Promise<FunctionRecord[]>;

  /** Functions with provisioned concurrency: after a restart, the sandboxes to start again. */
  provisioned(onDamaged?: OnDamaged): Promise<FunctionRecord[]>;

  /**
   * Calls `listener` after each write that this store made or learnt of, before the write resolves.
   * Returns what ends it.
   */
  watch(listener: (key: FunctionKey) => void): () => void;

  close(): Promise<void>;
}
