import { type Logger, limits, type Meter, systemClock } from '../base/mod.ts';
import { ChunkSlab, loadLine, openL2, SlabTier, tracedLoads } from '../cache/mod.ts';
import type { NearTiers, Tier, TierWatch } from '../device/mod.ts';
import {
  followingMigrations,
  type KeepNote,
  type ManifestUse,
  type Origin,
  openOrigin,
} from '../origin/mod.ts';
import type { ChunkRef, ChunkSource, NearChunkSource } from '../seal/mod.ts';
import type { AgentSettings } from './agent-settings.ts';
import { reportingDamage } from './reporting-damage.ts';

export interface Tiers {
  /** What is on this host's disk: the slab, and an origin that is a directory. */
  readonly near: NearTiers;
  /** What lies beyond: L2, then the origin. */
  readonly source: ChunkSource;
  /** Whoever reads through caches says so here. */
  readonly use: ManifestUse;
  /** Asks a far origin for a few things, so that the code of that is compiled. Rejects as it does. */
  readonly rehearse: (ended: AbortSignal) => Promise<void>;
}

export interface TierTools {
  readonly meter: Meter;
  readonly logger: Logger;
  /** Gets a line of trace for each load that the worker's own tiers lack. */
  readonly traceLoad?: (line: string) => void;
  /** Where the origin may only be read. */
  readonly keepNote?: KeepNote;
}

/**
 * The tiers below memory: slab before L2 before origin; each tells `tiers` what it answered. A
 * directory is as near as the slab, so what comes straight from it is not kept twice.
 */
export async function openTiers(
  settings: AgentSettings,
  tiers: TierWatch,
  tools: TierTools,
): Promise<Tiers> {
  const { meter, logger, traceLoad } = tools;
  const { slab: slabPlace, l2 } = settings;
  const clock = systemClock;
  const origin = await openOrigin(settings.origin, meter, logger, {
    keepNote: tools.keepNote,
    patienceMs: limits.origin.agentPatienceMs,
  });
  const whole = reportingDamage(followingMigrations(origin, origin), logger);
  let source = tiers.watch('origin', whole);
  if (l2) source = tiers.watch('l2', await openL2(source, l2, { clock, meter, logger }));
  if (traceLoad) source = tracedLoads(source, clock, traceLoad);
  const near: [Tier, NearChunkSource][] = [];
  if (slabPlace) {
    const slab = new SlabTier({
      slab: await ChunkSlab.open({ ...slabPlace, clock }),
      clock,
      meter,
    });
    near.push(['slab', slab]);
    source = slab.keeping(source);
  }
  if (!l2) near.push(['origin', origin]);
  const answered = (tier: Tier, ref: ChunkRef): Tier => {
    tiers.nearAnswered(tier);
    if (tier === 'origin') traceLoad?.(loadLine(clock.nowMs(), ref.name));
    return tier;
  };
  const rehearse = async (ended: AbortSignal) => {
    if (settings.origin.kind !== 'directory') await rehearseGets(origin, ended);
  };
  return { near: nearTiers(near, answered), source, use: origin, rehearse };
}

/** Small objects that are there, as many at once as a start's first chunks. */
async function rehearseGets(origin: Origin, ended: AbortSignal): Promise<void> {
  const [root] = await origin.listRoots();
  const { rehearsedGets, rehearsedGetsAtOnce } = limits.agent;
  for (let asked = 0; root && asked < rehearsedGets; asked += rehearsedGetsAtOnce) {
    if (ended.aborted) return;
    const some = Array.from({ length: rehearsedGetsAtOnce }, () =>
      origin.stateSinceMs(root.rootId, 'active'),
    );
    await Promise.all(some);
  }
}

/** The first of them that has a chunk answers. */
function nearTiers(
  tiers: readonly [Tier, NearChunkSource][],
  answered: (tier: Tier, ref: ChunkRef) => Tier,
): NearTiers {
  return {
    readIntoSync: (ref, into) => {
      for (const [tier, source] of tiers) {
        if (source.readIntoSync(ref, into)) return answered(tier, ref);
      }
      return undefined;
    },
    readInto: async (ref, into) => {
      for (const [tier, source] of tiers) {
        if (await source.readInto(ref, into)) return answered(tier, ref);
      }
      return undefined;
    },
  };
}
