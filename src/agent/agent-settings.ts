import { readdirSync, renameSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import {
  ChunkSlab,
  type HostRoom,
  type L2Settings,
  type TierSizes,
  tierSizes,
} from '../cache/mod.ts';
import type { CacheSettings, DataDirectory } from '../config/mod.ts';
import type { OriginPlace } from '../origin/mod.ts';

/** What an agent process composes its tiers from. */
export interface AgentSettings {
  readonly origin: OriginPlace;
  /** Room of the memory tier, for each agent. */
  readonly memoryBytes: number;
  /** The slab that all agents of the worker share; without one, chunks come from the origin. */
  readonly slab?: { readonly directory: string; readonly limitBytes: number };
  /** The zone's shared cache, if there is one. */
  readonly l2?: L2Settings;
  /** How often it tells the origin what its devices show; `limits.agent` says unless given. */
  readonly noteUseMs?: number;
}

/** What agents of a region are made for. */
export interface AgentPlaces {
  readonly data: DataDirectory;
  readonly place: OriginPlace;
  readonly settings: { readonly cache: CacheSettings };
}

/**
 * The tiers of a data directory's agents: its origin, its slab, and the zone's cache if given; sized
 * by what this host has unless the settings say.
 */
export async function agentSettings(
  { data, place, settings }: AgentPlaces,
  l2?: L2Settings,
): Promise<AgentSettings> {
  const { bsize, blocks, bavail } = await statfs(data.cache);
  const slab = await ChunkSlab.find(data.slab);
  const host: HostRoom = {
    memoryBytes: totalmem(),
    diskBytes: blocks * bsize,
    freeBytes: bavail * bsize,
    ...(slab && { slab }),
  };
  const { memoryBytes, slabBytes } = tierSizes(host, chosen(settings.cache));
  return {
    origin: place,
    memoryBytes,
    slab: { directory: data.slab, limitBytes: slabBytes },
    ...(l2 && { l2 }),
  };
}

function chosen({ memoryBytes, slabBytes }: CacheSettings): Partial<TierSizes> {
  return {
    ...(memoryBytes !== undefined && { memoryBytes }),
    ...(slabBytes !== undefined && { slabBytes }),
  };
}

/** Takes over a slab of a data directory that kept it beside other caches. */
export function adoptSlab(data: DataDirectory): void {
  for (const name of readdirSync(data.cache)) {
    if (/^chunks-\d+\.(slab|index|past)$/.test(name)) {
      renameSync(join(data.cache, name), join(data.slab, name));
    }
  }
}
