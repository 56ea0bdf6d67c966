import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '../base/mod.ts';
import { SqliteFunctionStore } from '../functions/mod.ts';
import { readManifestHeader } from '../seal/mod.ts';
import { functionsOf, manifestsOf } from './live-manifests.ts';
import type { Stores } from './stores.ts';

/** Forgets a stored image. Rejects with `IMAGE_IN_USE`, naming the function that runs it. */
export async function removeImage(stores: Stores, manifestId: string): Promise<void> {
  const { bytes } = await stores.origin.findManifest(manifestId);
  const { accountId } = readManifestHeader(bytes);
  const path = join(stores.data.state, 'functions.sqlite');
  if (existsSync(path)) {
    const functions = SqliteFunctionStore.open(path);
    try {
      for await (const record of functionsOf(functions, accountId)) {
        for await (const used of manifestsOf(functions, record)) {
          if (used !== manifestId) continue;
          throw new SluiceError(
            'IMAGE_IN_USE',
            `${manifestId}: function ${record.name} runs it; delete the function first`,
            { data: { manifestId, functionName: record.name } },
          );
        }
      }
    } finally {
      await functions.close();
    }
  }
  await stores.images.remove(manifestId);
}
