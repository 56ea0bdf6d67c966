import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { limits } from '../base/mod.ts';
import type { L2Settings } from '../cache/mod.ts';
import type { DataDirectory } from '../config/mod.ts';
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

/** The tiers of a data directory's agents: its origin, its slab, and the zone's cache if given. */
export function agentSettings(
  data: DataDirectory,
  place: OriginPlace,
  l2?: L2Settings,
): AgentSettings {
  return {
    origin: place,
    memoryBytes: limits.cache.memoryBytes,
    slab: { directory: data.slab, limitBytes: limits.cache.slabBytes },
    ...(l2 && { l2 }),
  };
}

/** Takes over a slab of a data directory that kept it beside other caches. */
export function adoptSlab(data: DataDirectory): void {
  for (const name of readdirSync(data.cache)) {
    if (/^chunks-\d+\.(slab|index)$/.test(name)) {
      renameSync(join(data.cache, name), join(data.slab, name));
    }
  }
}
