/** What placement knows of one worker, from its last report and from what it sent there since. */
export interface WorkerStanding {
  readonly workerId: string;
  draining: boolean;
  freeMemoryBytes: number;
  startsUnderWay: number;
  heardAtMs: number;
  /** Starts placed there since the report, and the memory that they are to have. */
  placedStarts: number;
  placedBytes: number;
}

export interface PlacementLimits {
  /** A worker that was silent for so long gets starts only if all others are as silent. */
  readonly suspectMs: number;
}

/** Changed in place by `step`, and plain data: a copy of it is a snapshot. */
export interface PlacementState {
  readonly limits: PlacementLimits;
  nowMs: number;
  readonly workers: Map<string, WorkerStanding>;
}

export function createState(limits: PlacementLimits): PlacementState {
  return { limits, nowMs: 0, workers: new Map() };
}

interface Timed {
  readonly atMs: number;
}

export type PlacementEvent =
  | (Timed & {
      readonly type: 'worker-report';
      readonly workerId: string;
      readonly draining: boolean;
      readonly freeMemoryBytes: number;
      readonly startsUnderWay: number;
    })
  | (Timed & { readonly type: 'worker-left'; readonly workerId: string })
  | (Timed & {
      readonly type: 'place';
      readonly sandboxId: string;
      readonly memoryBytes: number;
    });

export type PlacementEffect =
  | { readonly type: 'placed'; readonly sandboxId: string; readonly workerId: string }
  | {
      readonly type: 'unplaced';
      readonly sandboxId: string;
      readonly reason: 'no-worker' | 'draining';
    };
