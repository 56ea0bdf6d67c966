import { limits, MIB } from '../base/mod.ts';
import type { Settings } from '../config/mod.ts';
import { type DiskSpace, floorOf } from './disk-guard.ts';

/** What each part of a region may take of its disk. State and origin have what is left, above the floor. */
export interface DiskBudgets {
  /** All sandboxes' `/tmp` together: a start that does not fit is refused. */
  readonly scratchBytes: number;
  /** Functions' logs together: the oldest lines go. */
  readonly logsBytes: number;
  /** The largest file of one flattener: the kernel refuses to write on. */
  readonly spoolFileBytes: number;
}

const LOGS_LEAST = 64 * MIB;

/**
 * Shares of what the disk has left above the floor, once the slab, which has a size of its own, has
 * grown to it: together they are never more than there is. `chosen` goes before.
 */
export function diskBudgets(
  space: DiskSpace,
  slabGrowthBytes: number,
  chosen: Settings['disk'],
): DiskBudgets {
  const { logsPart, scratchPart, spoolPart } = limits.host;
  const free = Math.max(0, space.availableBytes - floorOf(space) - slabGrowthBytes);
  const logsBytes =
    chosen.logsBytes ?? Math.max(LOGS_LEAST, Math.min(limits.logs.totalBytes, free * logsPart));
  const spoolBytes = chosen.spoolBytes ?? free * spoolPart;
  return {
    logsBytes: Math.floor(logsBytes),
    scratchBytes: chosen.scratchBytes ?? Math.floor(free * scratchPart),
    spoolFileBytes: Math.floor(Math.min(spoolBytes / 2, 2 * limits.image.flattenedSizeBytes)),
  };
}
