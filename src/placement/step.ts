import { unreachable } from '../base/mod.ts';
import type { PlacementEffect, PlacementEvent, PlacementState, WorkerStanding } from './state.ts';

export interface PlacementStep {
  readonly effects: readonly PlacementEffect[];
}

/**
 * Chooses workers for starts. Deterministic, and free of I/O; the state is changed in place. It
 * only proposes: the worker has the last word, and what it says in its next report counts.
 */
export function step(state: PlacementState, event: PlacementEvent): PlacementStep {
  state.nowMs = Math.max(state.nowMs, event.atMs);
  switch (event.type) {
    case 'worker-report': {
      const { workerId, draining, freeMemoryBytes, startsUnderWay } = event;
      const since = { heardAtMs: state.nowMs, placedStarts: 0, placedBytes: 0 };
      const facts = { workerId, draining, freeMemoryBytes, startsUnderWay };
      state.workers.set(workerId, { ...facts, ...since });
      return { effects: [] };
    }
    case 'worker-left':
      state.workers.delete(event.workerId);
      return { effects: [] };
    case 'place':
      return { effects: [place(state, event.sandboxId, event.memoryBytes)] };
    default:
      unreachable(event);
  }
}

function place(state: PlacementState, sandboxId: string, memoryBytes: number): PlacementEffect {
  let best: WorkerStanding | undefined;
  for (const worker of state.workers.values()) {
    if (worker.draining) continue;
    if (!best || compare(state, worker, best, memoryBytes) < 0) best = worker;
  }
  if (!best) {
    const reason = state.workers.size > 0 ? 'draining' : 'no-worker';
    return { type: 'unplaced', sandboxId, reason };
  }
  best.placedStarts++;
  best.placedBytes += memoryBytes;
  return { type: 'placed', sandboxId, workerId: best.workerId };
}

/**
 * Below zero where `a` suits better: who was heard of lately, then who has room for it in memory,
 * then who starts fewer at once, then who has more memory left.
 */
function compare(
  { nowMs, limits }: PlacementState,
  a: WorkerStanding,
  b: WorkerStanding,
  memoryBytes: number,
): number {
  const suspect = (each: WorkerStanding) => Number(nowMs - each.heardAtMs >= limits.suspectMs);
  const leftBytes = (each: WorkerStanding) => each.freeMemoryBytes - each.placedBytes - memoryBytes;
  const short = (each: WorkerStanding) => Number(leftBytes(each) < 0);
  const starts = (each: WorkerStanding) => each.startsUnderWay + each.placedStarts;
  return (
    suspect(a) - suspect(b) ||
    short(a) - short(b) ||
    starts(a) - starts(b) ||
    leftBytes(b) - leftBytes(a)
  );
}
