import { refuse } from './leases.ts';
import { forgetIfUnused, versionOf } from './records.ts';
import { stopCountingOn, surrenderProvisioned } from './sandbox-records.ts';
import type { VersionState } from './state.ts';
import { feed, feedHungry, stop, type Turn } from './supply.ts';
import type { VersionRef } from './types.ts';

export function onDrain(turn: Turn, versionArn: string): void {
  for (const version of [...(turn.state.versionsByArn.get(versionArn) ?? [])]) {
    for (const sandbox of version.sandboxes) {
      if (sandbox.phase === 'idle') stop(turn, sandbox, 'drained');
      else sandbox.doomed = true;
    }
  }
  feedHungry(turn);
}

export function onProvisioned(turn: Turn, ref: VersionRef, count: number): void {
  const version = versionOf(turn.state, ref);
  setProvisioned(version, count);
  version.provisionFailure = undefined;
  for (const sandbox of version.sandboxes) {
    if (version.provisionedMade <= count) break;
    if (!sandbox.provisioned || sandbox.phase === 'placing' || sandbox.phase === 'starting') {
      continue;
    }
    if (sandbox.phase === 'idle') stop(turn, sandbox, 'drained');
    else surrenderProvisioned(sandbox);
  }
  feed(turn, version);
  forgetIfUnused(turn.state, version);
}

function setProvisioned(version: VersionState, count: number): void {
  version.function.provisioned += count - version.provisionedTarget;
  version.provisionedTarget = count;
}

export function onReclaim(turn: Turn, count: number): void {
  for (let i = 0; i < count; i++) {
    const oldest = turn.state.allIdle.first?.value;
    if (!oldest) return;
    stop(turn, oldest, 'reclaimed');
  }
}

export function onTick(turn: Turn): void {
  const { state } = turn;
  const { nowMs } = state;
  const { idleMs, waitMs } = state.limits;
  for (;;) {
    const idle = state.allIdle.first?.value;
    if (!idle || idle.sinceMs + idleMs > nowMs) break;
    stop(turn, idle, 'idle');
  }
  for (;;) {
    const waiting = state.allWaiting.first?.value;
    if (!waiting || waiting.sinceMs + waitMs > nowMs) break;
    refuse(turn, waiting, 'waiting');
  }
  for (;;) {
    const settling = state.allSettling.first?.value;
    if (!settling || settling.sinceMs + state.settleMs > nowMs) break;
    stopCountingOn(settling);
    feed(turn, settling.version);
  }
  if (state.retryStartsAtMs !== undefined && state.retryStartsAtMs <= nowMs) {
    state.retryStartsAtMs = undefined;
  }
  feedHungry(turn);
}

export function onClose(turn: Turn, force: boolean): void {
  const { state } = turn;
  state.closing = true;
  if (force) {
    for (const waiting of [...state.waiting.values()]) refuse(turn, waiting, 'closing');
  }
  for (const sandbox of [...state.sandboxes.values()]) {
    if (force || sandbox.phase === 'idle') stop(turn, sandbox, 'closing');
    else sandbox.doomed = true;
  }
}
