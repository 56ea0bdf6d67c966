import { GIB, MIB } from './units.ts';

/** Of agents and flatteners, which handle what tenants made, and of the process with the keys. */
export const helperLimits = {
  /**
   * User ids of agents and flatteners, one each while it runs: from where systemd's own list of
   * ranges (UIDS-GIDS.md) has nobody.
   */
  firstUid: 1_900_000_000,
  uids: 65_536,
  /** Of a helper's cgroup, page cache included, which the kernel takes back first. */
  agentMemoryBytes: 1 * GIB,
  flattenerMemoryBytes: 1 * GIB,
  keyMemoryBytes: 256 * MIB,
  processes: 64,
  openFiles: 8192,
} as const;
