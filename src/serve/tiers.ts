import { type Logger, type Meter, systemClock } from '../base/mod.ts';
import { ChunkSlab, openL2, slabCached, tracedLoads } from '../cache/mod.ts';
import type { TierWatch } from '../device/mod.ts';
import { followingMigrations, type ManifestUse } from '../origin/mod.ts';
import type { ChunkSource } from '../seal/mod.ts';
import type { AgentSettings } from './agent-settings.ts';
import { openOrigin } from './origin-place.ts';

export interface Tiers {
  readonly source: ChunkSource;
  /** Whoever reads through caches says so here. */
  readonly use: ManifestUse;
}

export interface TierTools {
  readonly meter: Meter;
  readonly logger: Logger;
  /** Gets a line of trace for each load that the worker's own tiers lack. */
  readonly traceLoad?: (line: string) => void;
}

/** The tiers below memory: slab before L2 before origin; each tells `tiers` what it answered. */
export async function openTiers(
  settings: AgentSettings,
  tiers: TierWatch,
  { meter, logger, traceLoad }: TierTools,
): Promise<Tiers> {
  const { slab, l2 } = settings;
  const clock = systemClock;
  const origin = await openOrigin(settings.origin, meter, logger);
  let source = tiers.watch('origin', followingMigrations(origin, origin));
  if (l2) source = tiers.watch('l2', await openL2(source, l2, { clock, meter, logger }));
  if (traceLoad) source = tracedLoads(source, clock, traceLoad);
  if (!slab) return { source, use: origin };
  const opened = await ChunkSlab.open({ ...slab, clock });
  return { source: tiers.watch('slab', slabCached(source, opened)), use: origin };
}
