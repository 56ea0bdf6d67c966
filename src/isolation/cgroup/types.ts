import type { HostShare } from './host-share.ts';

/** How a new process gets into its cgroup: by its own write (v1) or at its birth (v2). */
export type CgroupJoin =
  | { readonly kind: 'write'; readonly files: readonly string[]; readonly freezerState: string }
  | { readonly kind: 'clone'; readonly directory: string };

/** A directory of the host's that a sandbox may see, read-only, below its /sys/fs/cgroup. */
export interface CgroupView {
  /** Below /sys/fs/cgroup; empty: in its place. */
  readonly name: string;
  readonly directory: string;
}

export interface CgroupLimits {
  readonly memoryBytes: number;
  readonly processes: number;
}

/** One cgroup of a sandbox: on version 1 a directory in each hierarchy, on version 2 one. */
export interface Cgroup {
  readonly name: string;
  readonly join: CgroupJoin;
  /** What programs look for that size themselves by their limits. */
  readonly views: readonly CgroupView[];
  /**
   * Sets the limits of memory and processes, none of CPU, and starts the peak and the count of
   * kills anew. Synchronous: the files are the kernel's, and this is on every start's way.
   */
  limit(limits: CgroupLimits): void;
  /** Sets the limit of CPU: once the sandbox runs, because its setting up is not its own doing. */
  limitCpu(cpuMillis: number): void;
  /** Resolves when every process stands still. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** The most that was in use at once and that no reclaim of file cache could have given back. */
  peakMemoryBytes(): Promise<number>;
  /** Processes that the out-of-memory killer took since the limits were set. */
  oomKills(): Promise<number>;
  processes(): Promise<number[]>;
  /** Kills every process, frozen or not. */
  kill(): Promise<void>;
  /** Gives back the memory that a first sandbox left charged, before a second one comes. */
  reset(): Promise<void>;
  /** Removes it; it has to be empty. */
  remove(): Promise<void>;
}

/** The cgroups of one instance of Sluice, below one parent of its own. */
export interface CgroupTree {
  readonly version: 1 | 2;
  /** May a cgroup serve a second sandbox as if it were new? */
  readonly reusable: boolean;
  /** Makes the parent with its limits, and lends it the controllers. */
  prepare(share: HostShare): Promise<void>;
  create(name: string): Promise<Cgroup>;
  /** One that was created. */
  at(name: string): Cgroup;
  /** What is there below the parent, from whichever life of this instance. */
  list(): Promise<Cgroup[]>;
  /** Removes the parent; it has to be empty. */
  remove(): Promise<void>;
}
