import { noLogger, noMeter, systemClock } from '../base/mod.ts';
import { ChunkSlab, openL2, slabCached } from '../cache/mod.ts';
import type { TierWatch } from '../device/mod.ts';
import { followingMigrations } from '../origin/mod.ts';
import type { ChunkSource } from '../seal/mod.ts';
import type { AgentSettings } from './agent-settings.ts';
import { openOrigin } from './origin-place.ts';

/** The tiers below memory: slab before L2 before origin; each tells `tiers` what it answered. */
export async function openTiers(settings: AgentSettings, tiers: TierWatch): Promise<ChunkSource> {
  const { slab, l2 } = settings;
  const tools = { clock: systemClock, meter: noMeter, logger: noLogger };
  const origin = await openOrigin(settings.origin, noMeter, noLogger);
  let source = tiers.watch('origin', followingMigrations(origin, origin));
  if (l2) source = tiers.watch('l2', await openL2(source, l2, tools));
  if (!slab) return source;
  const opened = await ChunkSlab.open({ ...slab, clock: systemClock });
  return tiers.watch('slab', slabCached(source, opened));
}
