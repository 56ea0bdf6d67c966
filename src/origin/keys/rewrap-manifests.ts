import { type KeyService, readManifestHeader, rewrapManifest } from '../../seal/mod.ts';
import type { ManifestEditor, ManifestSource, RootSource } from '../origin.ts';

/**
 * Wraps the data keys of an account's manifests under its present key, in all roots that are
 * active or retired; touches no chunk. Answers how many. It may be cut off and run again; after a
 * run beside which nothing was uploaded or migrated, the account's older keys may be disabled.
 */
export async function rewrapManifests(
  store: ManifestSource & ManifestEditor & RootSource,
  keyService: KeyService,
  accountId: string,
): Promise<number> {
  let rewrapped = 0;
  for (const { rootId, state } of await store.listRoots()) {
    if (state !== 'active' && state !== 'retired') continue;
    for await (const manifestId of store.listManifests(rootId)) {
      const bytes = await store.getManifest(rootId, manifestId);
      if (readManifestHeader(bytes).accountId !== accountId) continue;
      await store.replaceManifest(rootId, manifestId, await rewrapManifest(bytes, keyService));
      rewrapped++;
    }
  }
  return rewrapped;
}
