import type { CollectedState, CollectedUsage } from './collected-origin.ts';

/** A root that cannot go on yet, and when it can. */
export interface WaitingRoot {
  readonly rootId: string;
  readonly readyAtMs: number;
}

/** A root that live manifests have no other place than. */
export interface ReferencedRoot {
  readonly rootId: string;
  readonly manifests: number;
  /** Some of them. */
  readonly manifestIds: readonly string[];
}

export interface ExpireReport {
  readonly expired: readonly string[];
  readonly waiting: readonly WaitingRoot[];
  /** Run `migrate` first. */
  readonly referenced: readonly ReferencedRoot[];
}

export interface DeleteReport {
  readonly deleted: readonly string[];
  readonly waiting: readonly WaitingRoot[];
  readonly objects: number;
}

export interface RootReport extends CollectedUsage {
  readonly rootId: string;
  readonly state: CollectedState;
  readonly sinceMs: number | undefined;
  readonly migratedTo: readonly string[];
  /** Live manifests that rest here, and those of them that rest nowhere else but in expired roots. */
  readonly liveManifests: number;
  readonly liveOnlyHere: number;
  readonly alarms: number;
}

export interface CollectorStatus {
  readonly roots: readonly RootReport[];
  readonly alarms: number;
  /** While an alarm stands, `delete` refuses. */
  readonly deletionStopped: boolean;
  /** Live manifests that no root has, at most `limits.gc.idsReported` of them. */
  readonly lost: readonly string[];
}
