import type { AssignmentState } from './state.ts';

/** When the next `tick` is due, in the state's own time; `undefined` if nothing waits for time. */
export function nextTickMs(state: AssignmentState): number | undefined {
  const { limits } = state;
  const first = Math.min(
    dueMs(state.allIdle.first?.value.sinceMs, limits.idleMs),
    dueMs(state.allWaiting.first?.value.sinceMs, limits.waitMs),
    dueMs(state.allSettling.first?.value.sinceMs, state.settleMs),
    state.retryStartsAtMs ?? Number.POSITIVE_INFINITY,
  );
  return first === Number.POSITIVE_INFINITY ? undefined : first;
}

function dueMs(sinceMs: number | undefined, delayMs: number): number {
  return sinceMs === undefined ? Number.POSITIVE_INFINITY : sinceMs + delayMs;
}

/**
 * Moves the state's time to an event's. It never goes back, and passes what was due by no more than
 * `leapMs`: more is a step of the clock (another leader's, or one that was set), or time in which
 * this process stood still. Then time goes on from where it was, at the new clock's pace. So a
 * clock that is hours ahead ends no sandbox before its time, and one that is hours behind does not
 * leave buckets empty for hours.
 */
export function advance(state: AssignmentState, atMs: number): void {
  const { leapMs } = state.limits;
  let nowMs = atMs + state.clockShiftMs;
  if (nowMs < state.nowMs) {
    if (state.nowMs - nowMs > leapMs) state.clockShiftMs = state.nowMs - atMs;
    return;
  }
  if (nowMs - state.nowMs > leapMs && nowMs > (nextTickMs(state) ?? nowMs) + leapMs) {
    nowMs = state.nowMs + leapMs;
    state.clockShiftMs = nowMs - atMs;
  }
  state.nowMs = nowMs;
}
