import type { CgroupJoin } from '../compose/isolate.ts';

export interface CgroupLimits {
  readonly memoryBytes: number;
  readonly cpuMillis: number;
  readonly processes: number;
}

/** One cgroup of a sandbox: on version 1 a directory in each hierarchy, on version 2 one. */
export interface Cgroup {
  readonly name: string;
  readonly join: CgroupJoin;
  /** Sets the limits and starts the peak and the count of kills anew. */
  limit(limits: CgroupLimits): Promise<void>;
  /** Resolves when every process stands still. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  peakMemoryBytes(): Promise<number>;
  /** Processes that the out-of-memory killer took since the limits were set. */
  oomKills(): Promise<number>;
  processes(): Promise<number[]>;
  /** Kills every process, frozen or not. */
  kill(): Promise<void>;
  /** Removes it; it has to be empty. */
  remove(): Promise<void>;
}

/** The cgroups of one instance of Sluice, below one parent of its own. */
export interface CgroupTree {
  readonly version: 1 | 2;
  /** May a cgroup serve a second sandbox as if it were new? */
  readonly reusable: boolean;
  /** Makes the parent, and lends it the controllers. */
  prepare(): Promise<void>;
  create(name: string): Promise<Cgroup>;
  /** What is there below the parent, from whichever life of this instance. */
  list(): Promise<Cgroup[]>;
  /** Removes the parent; it has to be empty. */
  remove(): Promise<void>;
}
