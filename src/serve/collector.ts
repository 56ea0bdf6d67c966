import { systemClock } from '../base/mod.ts';
import { type CollectorOptions, GarbageCollector } from '../gc/mod.ts';
import { RegionLiveManifests } from '../install/mod.ts';
import { collectorView } from '../origin/mod.ts';
import { openFunctions, openStores } from './stores.ts';

export interface OpenCollector {
  readonly collector: GarbageCollector;
  close(): Promise<void>;
}

/** Garbage collection of a data directory: names and ciphertext, and no key service at all. */
export async function openCollector(
  dataPath: string,
  waits: Pick<CollectorOptions, 'settleMs' | 'dwellMs'> = {},
): Promise<OpenCollector> {
  const { data, origin } = await openStores(dataPath);
  const functions = openFunctions(data);
  const live = new RegionLiveManifests(functions, origin);
  const collector = new GarbageCollector(collectorView(origin), live, {
    clock: systemClock,
    ...waits,
  });
  return { collector, close: () => functions.close() };
}
