import { SluiceError } from '../base/mod.ts';
import { functionThatRuns } from '../install/mod.ts';
import { readManifestHeader } from '../seal/mod.ts';
import { openFunctions, type Stores } from './stores.ts';

/** Forgets a stored image. Rejects with `IMAGE_IN_USE`, naming the function that runs it. */
export async function removeImage(stores: Stores, manifestId: string): Promise<void> {
  const { bytes } = await stores.origin.findManifest(manifestId);
  const { accountId } = readManifestHeader(bytes);
  const functions = openFunctions(stores.data);
  try {
    const functionName = await functionThatRuns(functions, accountId, manifestId);
    if (functionName !== undefined) {
      throw new SluiceError(
        'IMAGE_IN_USE',
        `${manifestId}: function ${functionName} runs it; delete the function first`,
        { data: { manifestId, functionName } },
      );
    }
  } finally {
    await functions.close();
  }
  await stores.origin.forgetManifest(manifestId);
}
