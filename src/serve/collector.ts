import { type Logger, limits, type Meter, systemClock } from '../base/mod.ts';
import { type CollectorOptions, GarbageCollector, ScheduledCollector } from '../gc/mod.ts';
import { RegionLiveManifests } from '../install/mod.ts';
import { collectorView } from '../origin/mod.ts';
import type { SqliteFunctionStore } from '../records/mod.ts';
import type { RegionHold } from './region-hold.ts';
import { openFunctions, openPlaces, type Stores } from './stores.ts';

export interface OpenCollector {
  readonly collector: GarbageCollector;
  close(): Promise<void>;
}

/** Garbage collection of a data directory: names and ciphertext, and no key service at all. */
export async function openCollector(
  dataPath: string,
  waits: Pick<CollectorOptions, 'settleMs' | 'dwellMs'> = {},
): Promise<OpenCollector> {
  const { data, origin, identity } = await openPlaces(dataPath);
  await identity.checkWithoutKeys();
  const functions = openFunctions(data);
  const live = new RegionLiveManifests(functions, origin);
  const collector = new GarbageCollector(collectorView(origin), live, {
    clock: systemClock,
    mayDelete: () => identity.checkWithoutKeys(),
    ...waits,
  });
  return { collector, close: () => functions.close() };
}

const DAY_MS = 24 * 60 * 60_000;

/** Garbage collection of a running region by its own schedule; undefined where that is off. */
export function scheduleCollector(
  { settings, origin, identity }: Stores,
  hold: RegionHold,
  functions: SqliteFunctionStore,
  { meter, logger }: { readonly meter: Meter; readonly logger: Logger },
): ScheduledCollector | undefined {
  if (settings.gc.schedule === 'off') return undefined;
  const live = new RegionLiveManifests(functions, origin);
  const clock = systemClock;
  const isOurs = async () => {
    await hold.check();
    await identity.checkWithoutKeys();
  };
  const view = collectorView(origin);
  const collector = new GarbageCollector(view, live, { clock, meter, mayDelete: isOurs });
  return new ScheduledCollector({
    ...{ collector, clock, logger, isOurs },
    everyMs: limits.gc.roundMs,
    rotateMs: settings.gc.rotateDays * DAY_MS,
  });
}
