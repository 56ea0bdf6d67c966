import { type Clock, type Logger, limits, type Meter, type Random } from '../base/mod.ts';
import type { AssignmentLimits, AssignmentState } from './state.ts';
import type { VersionRef } from './types.ts';

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
  ratesKept: limits.assignment.ratesKept,
  leapMs: limits.assignment.leapMs,
  takeUpMs: limits.assignment.takeUpMs,
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
    waiting: state.waiting.size,
    inFlight: state.inFlight,
  };
}

/** Chooses the worker of a start. Rejects with `START_LIMIT_EXCEEDED` when none takes it. */
export interface Placer {
  place(request: {
    readonly sandboxId: string;
    readonly version: VersionRef;
  }): Promise<{ readonly workerId: string }>;
}

export interface AssignmentOptions {
  readonly placer: Placer;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly meter?: Meter;
  readonly limits?: Partial<AssignmentLimits>;
}
