import type {
  AccountTotals,
  FunctionKey,
  FunctionRecord,
  FunctionStore,
  VersionRecord,
} from '../records/mod.ts';

interface Entry {
  record: FunctionRecord | undefined;
  readonly loading: Promise<FunctionRecord | undefined>;
  readonly versions: Map<number, Promise<VersionRecord | undefined>>;
}

/**
 * Functions in memory, so that an invoke reads no disk. Follows the store: a write drops the
 * function's entry before it is acknowledged, so whoever writes reads what they wrote.
 */
export class FunctionCache {
  readonly #store: FunctionStore;
  readonly #limit: number;
  readonly #entries = new Map<string, Entry>();
  readonly #totals = new Map<string, Promise<AccountTotals>>();
  readonly #endWatch: () => void;

  constructor(store: FunctionStore, limit: number) {
    this.#store = store;
    this.#limit = limit;
    this.#endWatch = store.watch((key) => {
      this.#entries.delete(pathOf(key));
      this.#totals.delete(key.accountId);
    });
  }

  read(key: FunctionKey): FunctionRecord | undefined | Promise<FunctionRecord | undefined> {
    const entry = this.#entry(key);
    return entry.record ?? entry.loading;
  }

  readVersion(key: FunctionKey, version: number): Promise<VersionRecord | undefined> {
    const { versions } = this.#entry(key);
    const known = versions.get(version);
    if (known) return known;
    const loading = this.#store.readVersion(key, version);
    // Only what exists stays: asking for versions that do not must not fill the memory.
    versions.set(version, loading);
    loading.then(
      (found) => found ?? versions.delete(version),
      () => versions.delete(version),
    );
    return loading;
  }

  /** Read again after every write to the account. */
  totals(accountId: string): Promise<AccountTotals> {
    const known = this.#totals.get(accountId);
    if (known) return known;
    const loading = this.#store.totals(accountId);
    if (this.#totals.size >= this.#limit) this.#totals.clear();
    this.#totals.set(accountId, loading);
    loading.catch(() => this.#totals.delete(accountId));
    return loading;
  }

  close(): void {
    this.#endWatch();
    this.#entries.clear();
    this.#totals.clear();
  }

  #entry(key: FunctionKey): Entry {
    const path = pathOf(key);
    const cached = this.#entries.get(path);
    if (cached) return cached;
    const entry: Entry = {
      record: undefined,
      loading: this.#store.read(key),
      versions: new Map(),
    };
    this.#insert(path, entry);
    const drop = () => {
      if (this.#entries.get(path) === entry) this.#entries.delete(path);
    };
    entry.loading.then((record) => {
      if (record) entry.record = record;
      else drop();
    }, drop);
    return entry;
  }

  #insert(path: string, entry: Entry): void {
    if (this.#entries.size >= this.#limit) {
      const oldest = this.#entries.keys().next().value;
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    this.#entries.set(path, entry);
  }
}

const pathOf = (key: FunctionKey) => `${key.accountId}/${key.name}`;
