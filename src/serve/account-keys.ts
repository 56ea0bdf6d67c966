import { SluiceError } from '../base/mod.ts';
import { LocalKeyService } from '../origin/mod.ts';
import { readManifestHeader, rewrapManifest } from '../seal/mod.ts';
import type { Stores } from './stores.ts';

export interface RewrapReport {
  readonly accountId: string;
  /** Manifests whose data key is wrapped anew; no chunk was touched. */
  readonly manifests: number;
}

function localKeys(stores: Stores): LocalKeyService {
  if (stores.keyService instanceof LocalKeyService) return stores.keyService;
  throw new SluiceError('USAGE', 'keys: AWS KMS keeps them; change them there, then run key rewrap');
}

/** Wraps the data keys of an account's manifests under its present key. May be run again. */
export async function rewrapManifests(stores: Stores, accountId: string): Promise<RewrapReport> {
  const { origin, keyService } = stores;
  let manifests = 0;
  for (const { rootId, state } of await origin.listRoots()) {
    if (state !== 'active' && state !== 'retired') continue;
    for await (const manifestId of origin.listManifests(rootId)) {
      const bytes = await origin.getManifest(rootId, manifestId);
      if (readManifestHeader(bytes).accountId !== accountId) continue;
      const rewrapped = await rewrapManifest(bytes, keyService);
      await origin.replaceManifest(rootId, manifestId, rewrapped);
      manifests++;
    }
  }
  return { accountId, manifests };
}

/** Gives an account a new key and wraps its manifests' data keys under it. */
export async function rotateKey(stores: Stores, accountId: string) {
  const keyId = await localKeys(stores).rotateAccountKey(accountId);
  return { keyId, ...(await rewrapManifests(stores, accountId)) };
}

/** A disabled key neither wraps nor unwraps, so what it guards does not start. */
export async function setKeyState(
  stores: Stores,
  keyId: string,
  state: 'enabled' | 'disabled',
): Promise<void> {
  await localKeys(stores).setKeyState(keyId, state);
}
