import { refuse } from './leases.ts';
import { forgetIfUnused, leavePhase, surrenderProvisioned, versionOf } from './records.ts';
import type { VersionKey, VersionRecord } from './state.ts';
import { feed, feedHungry, stop, type Turn } from './supply.ts';

export function onDrain(turn: Turn, versionArn: string): void {
  for (const version of [...(turn.state.versionsByArn.get(versionArn) ?? [])]) {
    setProvisioned(version, 0);
    for (const sandbox of version.sandboxes) {
      if (sandbox.phase === 'idle') stop(turn, sandbox, 'drained');
      else sandbox.doomed = true;
    }
    forgetIfUnused(turn.state, version);
  }
  feedHungry(turn);
}

export function onProvision(turn: Turn, key: VersionKey, count: number): void {
  const version = versionOf(turn.state, key, turn.nowMs);
  setProvisioned(version, count);
  version.provisionFailed = false;
  for (const sandbox of version.sandboxes) {
    if (version.provisionedMade <= count) break;
    if (!sandbox.provisioned || sandbox.phase === 'starting') continue;
    if (sandbox.phase === 'idle') stop(turn, sandbox, 'drained');
    else surrenderProvisioned(sandbox);
  }
  feed(turn, version);
  forgetIfUnused(turn.state, version);
}

function setProvisioned(version: VersionRecord, count: number): void {
  version.function.provisioned += count - version.provisionedTarget;
  version.provisionedTarget = count;
}

export function onReclaim(turn: Turn, count: number): void {
  for (let i = 0; i < count; i++) {
    const oldest = turn.state.allIdle.first;
    if (!oldest) return;
    stop(turn, oldest, 'reclaimed');
  }
}

export function onTick(turn: Turn): void {
  const { state, nowMs } = turn;
  const { idleMs, waitMs } = state.limits;
  for (;;) {
    const idle = state.allIdle.first;
    if (!idle || idle.sinceMs + idleMs > nowMs) break;
    stop(turn, idle, 'idle');
  }
  for (;;) {
    const waiting = state.allWaiting.first;
    if (!waiting || waiting.sinceMs + waitMs > nowMs) break;
    refuse(turn, waiting, 'waiting');
  }
  for (;;) {
    const settling = state.allSettling.first;
    if (!settling || settling.sinceMs + state.settleMs > nowMs) break;
    leavePhase(state, settling);
    feed(turn, settling.version);
  }
  if (state.retryStartsAtMs <= nowMs) state.retryStartsAtMs = Number.POSITIVE_INFINITY;
  feedHungry(turn);
}

export function onClose(turn: Turn, force: boolean): void {
  const { state } = turn;
  state.closing = true;
  if (force) for (const waiting of state.allWaiting) refuse(turn, waiting, 'closing');
  for (const sandbox of state.sandboxes.values()) {
    if (force || sandbox.phase === 'idle') stop(turn, sandbox, 'closing');
    else sandbox.doomed = true;
  }
}
