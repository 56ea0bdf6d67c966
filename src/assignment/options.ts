import { type Clock, type Logger, limits, type Meter, type Random } from '../base/mod.ts';
import type { AssignmentLimits, AssignmentState } from './state.ts';
import type { ConcurrencyLimits, SandboxHost } from './types.ts';
import type { UsageLedger } from './usage.ts';

export const defaultAssignmentLimits: AssignmentLimits = {
  startsPerRegion: limits.assignment.startsPerRegion,
  startsPerAccount: limits.assignment.startsPerAccount,
  sandboxes: limits.worker.sandboxes,
  waitingPerVersion: limits.worker.waitingInvokes,
  waitMs: limits.assignment.waitMs,
  settleMs: limits.assignment.settleMs,
  settleMsMost: limits.assignment.settleMsMost,
  idleMs: limits.worker.idleMs,
  startsPerFunctionBurst: limits.assignment.startsPerFunctionBurst,
  startsPerFunctionPerSecond: limits.assignment.startsPerFunctionPerSecond,
};

/** What the leader holds, for metrics and the dashboard. */
export interface AssignmentStats {
  readonly sandboxes: number;
  readonly idle: number;
  readonly starting: number;
  readonly waiting: number;
  readonly inFlight: number;
}

export function statsOf(state: AssignmentState): AssignmentStats {
  return {
    sandboxes: state.sandboxes.size,
    idle: state.allIdle.length,
    starting: state.starting,
    waiting: state.allWaiting.length,
    inFlight: state.invokes.size,
  };
}

export interface AssignmentOptions {
  readonly host: SandboxHost;
  readonly concurrency: ConcurrencyLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly meter?: Meter;
  /** Counts what each function uses; not kept if absent. */
  readonly usage?: UsageLedger;
  readonly limits?: Partial<AssignmentLimits>;
}
