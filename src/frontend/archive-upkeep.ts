import type { Logger } from '../base/mod.ts';
import type { ZipSupport } from '../install/mod.ts';
import type { FunctionRecord, FunctionStore, LayerStore, VersionRecord } from '../records/mod.ts';

const PAGE = 100;

/**
 * Removes archives that nothing names any more. An archive is stored before what names it, so
 * operations that take one in run under `use`, and removal waits for those under way and holds up
 * those that come.
 */
export class ArchiveUpkeep {
  readonly #zip: ZipSupport | undefined;
  readonly #functions: FunctionStore;
  readonly #logger: Logger;
  #users = 0;
  #whenUnused: (() => void) | undefined;
  #sweeping: Promise<void> | undefined;
  /** Accounts that something was removed from since their last sweep. */
  readonly #due = new Set<string>();

  constructor(zip: ZipSupport | undefined, functions: FunctionStore, logger: Logger) {
    this.#zip = zip;
    this.#functions = functions;
    this.#logger = logger;
  }

  async use<T>(work: () => Promise<T>): Promise<T> {
    while (this.#sweeping !== undefined) await this.#sweeping;
    this.#users++;
    try {
      return await work();
    } finally {
      this.#users--;
      if (this.#users === 0) this.#whenUnused?.();
    }
  }

  /** Something of the account may have been the last to name an archive: looks, in the background. */
  freed(accountId: string): void {
    if (!this.#zip) return;
    this.#due.add(accountId);
    this.#sweeping ??= this.#sweep(this.#zip).finally(() => {
      this.#sweeping = undefined;
    });
  }

  /** Looks at every account, for what an earlier life left. */
  async start(): Promise<void> {
    for (const accountId of (await this.#zip?.archive.accounts()) ?? []) this.freed(accountId);
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    await this.#sweeping;
  }

  async #sweep({ archive, layers }: ZipSupport): Promise<void> {
    if (this.#users > 0) {
      await new Promise<void>((resolve) => {
        this.#whenUnused = resolve;
      });
    }
    for (const accountId of this.#due) {
      this.#due.delete(accountId);
      try {
        const named = new Set<string>();
        for await (const sha256 of archivesOfFunctions(this.#functions, accountId))
          named.add(sha256);
        for await (const sha256 of archivesOfLayers(layers, accountId)) named.add(sha256);
        for (const sha256 of await archive.list(accountId)) {
          if (!named.has(sha256)) await archive.remove(accountId, sha256);
        }
      } catch (error) {
        this.#logger.error({ account: accountId, error }, 'unused archives were not removed');
      }
    }
  }
}

function* archivesOfVersion(version: VersionRecord): Iterable<string> {
  for (const part of [version, version.serving]) {
    if (part?.source.kind !== 'zip') continue;
    yield part.source.sha256;
    for (const layer of part.configuration.layers) yield layer.sha256;
  }
}

async function* archivesOfFunctions(
  store: FunctionStore,
  accountId: string,
): AsyncIterable<string> {
  let last: FunctionRecord | undefined;
  do {
    const page = await store.list(accountId, last?.name, PAGE);
    for (const record of page) {
      yield* archivesOfVersion(record.latest);
      let after: VersionRecord | undefined;
      do {
        const versions = await store.listVersions(record, after?.version ?? 0, PAGE);
        for (const version of versions) yield* archivesOfVersion(version);
        after = versions.at(-1);
      } while (after);
    }
    last = page.at(-1);
  } while (last);
}

async function* archivesOfLayers(layers: LayerStore, accountId: string): AsyncIterable<string> {
  let name: string | undefined;
  do {
    const page = await layers.list(accountId, name, PAGE);
    for (const layer of page) {
      let before: number | undefined;
      do {
        const versions = await layers.listVersions(layer, before, PAGE);
        for (const { sha256 } of versions) yield sha256;
        before = versions.at(-1)?.version;
      } while (before !== undefined);
    }
    name = page.at(-1)?.name;
  } while (name !== undefined);
}
