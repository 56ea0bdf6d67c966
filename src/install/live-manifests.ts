import type { ManifestPins } from '../origin/mod.ts';
import type { FunctionRecord, FunctionStore, VersionRecord } from '../records/mod.ts';

const PAGE = 100;

function* manifestsOfVersion(version: VersionRecord): Iterable<string> {
  if (version.code) yield version.code.manifestId;
  if (version.serving) yield version.serving.code.manifestId;
}

/** The functions of one account, in pages. */
async function* functionsOf(
  store: FunctionStore,
  accountId: string,
): AsyncIterable<FunctionRecord> {
  for (let after: string | undefined; ; ) {
    const page = await store.list(accountId, after, PAGE);
    yield* page;
    after = page.at(-1)?.name;
    if (page.length < PAGE) return;
  }
}

/** The manifests that a function's versions run, with repetitions. */
async function* manifestsOf(store: FunctionStore, record: FunctionRecord): AsyncIterable<string> {
  yield* manifestsOfVersion(record.latest);
  const key = { accountId: record.accountId, name: record.name };
  for (let after = 0; ; ) {
    const page = await store.listVersions(key, after, PAGE);
    for (const version of page) yield* manifestsOfVersion(version);
    after = page.at(-1)?.version ?? after;
    if (page.length < PAGE) return;
  }
}

/** The function of an account that runs a manifest, if one does. */
export async function functionThatRuns(
  store: FunctionStore,
  accountId: string,
  manifestId: string,
): Promise<string | undefined> {
  for await (const record of functionsOf(store, accountId)) {
    for await (const used of manifestsOf(store, record))
      if (used === manifestId) return record.name;
  }
  return undefined;
}

/** What garbage collection must keep: what any version of any function runs, and what was pinned. */
export class RegionLiveManifests {
  readonly #functions: FunctionStore;
  readonly #pins: Pick<ManifestPins, 'pinnedManifests'>;

  constructor(functions: FunctionStore, pins: Pick<ManifestPins, 'pinnedManifests'>) {
    this.#functions = functions;
    this.#pins = pins;
  }

  async *liveManifests(): AsyncIterable<string> {
    for (const accountId of await this.#functions.accounts()) {
      for await (const record of functionsOf(this.#functions, accountId)) {
        yield* manifestsOf(this.#functions, record);
      }
    }
    yield* this.#pins.pinnedManifests();
  }
}
