import type { Origin } from '../origin/mod.ts';

/**
 * Whether an origin holds images, and only such as `image add` stored, which garbage collection keeps
 * whatever functions there are: no state that is lost could have known of more.
 */
export async function holdsOnlyAdded(
  origin: Pick<Origin, 'listRoots' | 'listManifests' | 'pinnedManifests'>,
): Promise<boolean> {
  const pinned = new Set<string>();
  for await (const manifestId of origin.pinnedManifests()) pinned.add(manifestId);
  let manifests = 0;
  for (const { rootId, state } of await origin.listRoots()) {
    if (state === 'deleted') continue;
    for await (const manifestId of origin.listManifests(rootId)) {
      if (!pinned.has(manifestId)) return false;
      manifests++;
    }
  }
  return manifests > 0;
}
