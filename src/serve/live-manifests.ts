import type { FunctionRecord, FunctionStore, VersionRecord } from '../functions/mod.ts';

const PAGE = 100;

function* manifestsOfVersion(version: VersionRecord): Iterable<string> {
  if (version.code) yield version.code.manifestId;
  if (version.serving) yield version.serving.code.manifestId;
}

/** The functions of one account, in pages. */
export async function* functionsOf(
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
export async function* manifestsOf(
  store: FunctionStore,
  record: FunctionRecord,
): AsyncIterable<string> {
  yield* manifestsOfVersion(record.latest);
  const key = { accountId: record.accountId, name: record.name };
  for (let after = 0; ; ) {
    const page = await store.listVersions(key, after, PAGE);
    for (const version of page) yield* manifestsOfVersion(version);
    after = page.at(-1)?.version ?? after;
    if (page.length < PAGE) return;
  }
}
