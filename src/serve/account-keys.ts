import { SluiceError } from '../base/mod.ts';
import { openKeyService } from '../keys/mod.ts';
import { LocalKeyService, rewrapManifests } from '../origin/mod.ts';
import type { KeyService } from '../seal/mod.ts';
import type { Stores } from './stores.ts';

export interface RewrapReport {
  readonly accountId: string;
  /** Manifests whose data key was rewrapped; no chunk was touched. */
  readonly manifests: number;
}

/** In this process, which is an operator's command. */
function keyServiceOf({ settings, data }: Stores): KeyService {
  return openKeyService(settings.keys, data);
}

function localKeys(stores: Stores): LocalKeyService {
  const keyService = keyServiceOf(stores);
  if (keyService instanceof LocalKeyService) return keyService;
  throw new SluiceError(
    'USAGE',
    'keys: AWS KMS keeps them; change them there, then run key rewrap',
  );
}

/** Wraps the data keys of an account's manifests under its present key. May be run again. */
export async function rewrapAccount(stores: Stores, accountId: string): Promise<RewrapReport> {
  const manifests = await rewrapManifests(stores.origin, keyServiceOf(stores), accountId);
  return { accountId, manifests };
}

/** Gives an account a new key and wraps its manifests' data keys under it. */
export async function rotateKey(stores: Stores, accountId: string) {
  const keyId = await localKeys(stores).rotateAccountKey(accountId);
  return { keyId, ...(await rewrapAccount(stores, accountId)) };
}

/** A disabled key neither wraps nor unwraps, so what it guards does not start. */
export async function setKeyState(
  stores: Stores,
  keyId: string,
  state: 'enabled' | 'disabled',
): Promise<void> {
  await localKeys(stores).setKeyState(keyId, state);
}
