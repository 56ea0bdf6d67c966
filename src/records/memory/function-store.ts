import { SluiceError } from '../../base/mod.ts';
import type { FunctionRecord, VersionRecord } from '../records.ts';
import type {
  AccountTotals,
  FunctionChange,
  FunctionKey,
  FunctionStore,
  UrlTarget,
} from '../store.ts';
import { concurrencySetAside } from '../transitions.ts';

interface Entry {
  record: FunctionRecord;
  readonly versions: Map<number, VersionRecord>;
}

const pathOf = (key: FunctionKey) => `${key.accountId}/${key.name}`;
const byName = (a: Entry, b: Entry) => (a.record.name < b.record.name ? -1 : 1);

/** For tests and the simulator: the contract of the store without its durability. */
export class MemoryFunctionStore implements FunctionStore {
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<(key: FunctionKey) => void>();

  async insert(record: FunctionRecord, versions: readonly VersionRecord[] = []): Promise<void> {
    const path = pathOf(record);
    if (this.#entries.has(path)) {
      throw new SluiceError('FUNCTION_EXISTS', `${path}: a function of this name exists`);
    }
    this.#entries.set(path, {
      record: structuredClone(record),
      versions: new Map(versions.map((each) => [each.version, structuredClone(each)])),
    });
    this.#announce(record);
  }

  async read(key: FunctionKey): Promise<FunctionRecord | undefined> {
    return structuredClone(this.#entries.get(pathOf(key))?.record);
  }

  async change(
    key: FunctionKey,
    change: (current: FunctionRecord, totals: AccountTotals) => FunctionChange,
  ): Promise<FunctionRecord> {
    const entry = this.#entries.get(pathOf(key));
    if (!entry) throw new SluiceError('FUNCTION_NOT_FOUND', `${pathOf(key)}: no such function`);
    const outcome = change(structuredClone(entry.record), this.#totals(key.accountId));
    entry.record = structuredClone(outcome.function);
    for (const each of outcome.putVersions ?? []) {
      entry.versions.set(each.version, structuredClone(each));
    }
    if (outcome.removeVersion !== undefined) entry.versions.delete(outcome.removeVersion);
    this.#announce(key);
    return outcome.function;
  }

  async remove(key: FunctionKey): Promise<boolean> {
    const removed = this.#entries.delete(pathOf(key));
    if (removed) this.#announce(key);
    return removed;
  }

  async list(
    accountId: string,
    after: string | undefined,
    limit: number,
  ): Promise<FunctionRecord[]> {
    return this.#of(accountId)
      .filter((each) => after === undefined || each.record.name > after)
      .sort(byName)
      .slice(0, limit)
      .map((each) => structuredClone(each.record));
  }

  async readVersion(key: FunctionKey, version: number): Promise<VersionRecord | undefined> {
    return structuredClone(this.#entries.get(pathOf(key))?.versions.get(version));
  }

  async listVersions(key: FunctionKey, after: number, limit: number): Promise<VersionRecord[]> {
    return [...(this.#entries.get(pathOf(key))?.versions.values() ?? [])]
      .filter((each) => each.version > after)
      .sort((a, b) => a.version - b.version)
      .slice(0, limit)
      .map((each) => structuredClone(each));
  }

  async totals(accountId: string): Promise<AccountTotals> {
    return this.#totals(accountId);
  }

  async findUrl(urlId: string): Promise<UrlTarget | undefined> {
    for (const { record } of this.#entries.values()) {
      for (const [qualifier, url] of Object.entries(record.urls)) {
        if (url.urlId === urlId) {
          return { accountId: record.accountId, name: record.name, qualifier };
        }
      }
    }
    return undefined;
  }

  async accounts(): Promise<string[]> {
    return [...new Set([...this.#entries.values()].map((each) => each.record.accountId))].sort();
  }

  async unfinished(): Promise<FunctionRecord[]> {
    return [...this.#entries.values()]
      .filter((each) => each.record.latest.work !== undefined)
      .map((each) => structuredClone(each.record));
  }

  async provisioned(): Promise<FunctionRecord[]> {
    return [...this.#entries.values()]
      .filter((each) => Object.keys(each.record.provisionedConcurrency).length > 0)
      .map((each) => structuredClone(each.record));
  }

  watch(listener: (key: FunctionKey) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
  }

  #of(accountId: string): Entry[] {
    return [...this.#entries.values()].filter((each) => each.record.accountId === accountId);
  }

  #totals(accountId: string): AccountTotals {
    let codeSizeBytes = 0;
    let reservedConcurrency = 0;
    const entries = this.#of(accountId);
    for (const { record, versions } of entries) {
      reservedConcurrency += concurrencySetAside(record);
      for (const version of [record.latest, ...versions.values()]) {
        codeSizeBytes += version.code?.codeSizeBytes ?? 0;
      }
    }
    return { functions: entries.length, codeSizeBytes, reservedConcurrency };
  }

  #announce(key: FunctionKey): void {
    for (const listener of this.#listeners) listener({ accountId: key.accountId, name: key.name });
  }
}
