import { GIB, MIB } from './units.ts';

/** What a region wants of its host, and leaves it. */
export const hostLimits = {
  /** Open files of the region's process: wanted, and the least that it serves with. */
  openFiles: 65_536,
  openFilesLeast: 2048,
  /** Of the file system, which nothing that can be refused may take: for the host and for deletes. */
  diskFloorPart: 1 / 20,
  diskFloorBytesMost: 10 * GIB,
  /** Written beforehand beside the databases, and given back when their disk is full. */
  stateReserveBytes: 16 * MIB,
  /**
   * Of what the disk has above the floor when the region starts, and the slab will not take: for all
   * sandboxes' `/tmp`, for what flatteners spool, for logs. The rest is the state's and the origin's.
   */
  scratchPart: 0.7,
  spoolPart: 0.15,
  logsPart: 0.05,
  diskWatchMs: 5000,
  /** Of any file but a database that a start reads whole. */
  smallFileBytes: 64 * MIB,
} as const;
