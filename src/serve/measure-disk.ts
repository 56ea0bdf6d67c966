import { statSync } from 'node:fs';
import { type AgentPlaces, agentSettings } from '../agent/mod.ts';
import { ChunkSlab } from '../cache/mod.ts';
import type { Settings } from '../config/mod.ts';
import { type DiskBudgets, diskBudgets } from './disk-budgets.ts';
import { diskSpaceOf } from './disk-guard.ts';

/** The budgets of a data directory's disk as it is now. */
export async function measureBudgets(
  places: AgentPlaces & { readonly settings: Pick<Settings, 'disk'> },
): Promise<DiskBudgets> {
  const { data, settings } = places;
  const { slab } = await agentSettings(places);
  const there = await ChunkSlab.find(data.slab);
  const isSameDisk = statSync(data.slab).dev === statSync(data.run).dev;
  const growth = Math.max(0, (slab?.limitBytes ?? 0) - (there?.takenBytes ?? 0));
  return diskBudgets(diskSpaceOf(data.run), isSameDisk ? growth : 0, settings.disk);
}
