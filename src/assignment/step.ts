import { assert, unreachable } from '../base/mod.ts';
import { admit, lastIdle } from './admission.ts';
import { unlink } from './linked-list.ts';
import {
  addInvoke,
  enterIdle,
  enterSettling,
  forgetIfUnused,
  leavePhase,
  removeInvoke,
  removeSandbox,
  surrenderProvisioned,
  versionOf,
} from './records.ts';
import type {
  AssignmentEffect,
  AssignmentEvent,
  AssignmentState,
  InvokeRecord,
  RefusalReason,
  SandboxRecord,
  VersionKey,
  VersionRecord,
} from './state.ts';
import { feed, feedHungry, stop, type Turn } from './supply.ts';

export interface AssignmentStep {
  readonly state: AssignmentState;
  readonly effects: readonly AssignmentEffect[];
}

/**
 * Decides who gets which sandbox. Deterministic, and free of I/O; the state is changed in place.
 *
 * An invoke takes the idle sandbox that was used last (so that the rest can age and go), or waits
 * for the first that gets free or ready. As many sandboxes start as invokes wait that nothing
 * under way will serve. A version that may not start one, and has none, is refused at once.
 */
export function step(
  state: AssignmentState,
  event: AssignmentEvent,
  nowMs: number,
): AssignmentStep {
  const turn: Turn = { state, nowMs, effects: [] };
  switch (event.type) {
    case 'invoke':
      onInvoke(turn, event);
      break;
    case 'cancelled':
      onCancelled(turn, event.invokeId);
      break;
    case 'started':
      onStarted(turn, event.sandboxId, event.initFailed);
      break;
    case 'start-failed':
      onStartFailed(turn, event.sandboxId);
      break;
    case 'answered':
      onAnswered(turn, event.invokeId, event.sandboxId);
      break;
    case 'settled':
      onSettled(turn, event.sandboxId);
      break;
    case 'ended':
      onEnded(turn, event.sandboxId);
      break;
    case 'drain':
      onDrain(turn, event.versionArn);
      break;
    case 'provision':
      onProvision(turn, event.version, event.count);
      break;
    case 'reclaim':
      onReclaim(turn, event.count);
      break;
    case 'tick':
      onTick(turn);
      break;
    case 'close':
      onClose(turn, event.force);
      break;
    default:
      unreachable(event);
  }
  return turn;
}

function onInvoke(turn: Turn, event: AssignmentEvent & { type: 'invoke' }): void {
  const { state, nowMs, effects } = turn;
  const version = versionOf(state, event.version, nowMs);
  const admission = admit(state, version, event.limits, nowMs);
  if ('refusal' in admission) {
    effects.push({ type: 'refuse', invokeId: event.invokeId, reason: admission.refusal });
    forgetIfUnused(state, version);
    return;
  }
  const invoke = addInvoke(state, version, event.invokeId, admission.pool, nowMs);
  const idle = lastIdle(version);
  if (idle) {
    lend(turn, idle, invoke);
    return;
  }
  invoke.waitingNode = version.waiting.push(invoke);
  invoke.allWaitingNode = state.allWaiting.push(invoke);
  const blocked = feed(turn, version);
  if (blocked && blocked !== 'ConcurrentInvocationLimitExceeded' && version.sandboxes.size === 0) {
    refuse(turn, invoke, blocked);
  }
}

function lend(turn: Turn, sandbox: SandboxRecord, invoke: InvokeRecord): void {
  assert(sandbox.phase !== 'busy', `${sandbox.sandboxId}: lent to one invoke at a time`);
  assert(sandbox.version === invoke.version, `${sandbox.sandboxId}: serves one version for life`);
  leavePhase(turn.state, sandbox);
  invoke.waitingNode = unlink(invoke.waitingNode);
  invoke.allWaitingNode = unlink(invoke.allWaitingNode);
  sandbox.phase = 'busy';
  sandbox.invokeId = invoke.invokeId;
  sandbox.sinceMs = turn.nowMs;
  const { sandboxId } = sandbox;
  turn.effects.push({ type: 'lend', sandboxId, invokeId: invoke.invokeId });
}

function refuse(turn: Turn, invoke: InvokeRecord, reason: RefusalReason): void {
  removeInvoke(turn.state, invoke);
  turn.effects.push({ type: 'refuse', invokeId: invoke.invokeId, reason });
  forgetIfUnused(turn.state, invoke.version);
}

/** The sandbox can take an invoke: the longest waiting one, or none yet. */
function release(turn: Turn, sandbox: SandboxRecord): void {
  const { version } = sandbox;
  leavePhase(turn.state, sandbox);
  sandbox.phase = 'settling';
  if (version.provisionedMade > version.provisionedTarget) surrenderProvisioned(sandbox);
  const waiting = version.waiting.first;
  if (waiting) lend(turn, sandbox, waiting);
  else if (sandbox.doomed || turn.state.closing) stop(turn, sandbox, 'drained');
  else enterIdle(turn.state, sandbox, turn.nowMs);
}

function onCancelled(turn: Turn, invokeId: number): void {
  const invoke = turn.state.invokes.get(invokeId);
  if (!invoke?.waitingNode) return;
  removeInvoke(turn.state, invoke);
  forgetIfUnused(turn.state, invoke.version);
}

function onStarted(turn: Turn, sandboxId: string, initFailed: boolean): void {
  const sandbox = turn.state.sandboxes.get(sandboxId);
  if (!sandbox) return;
  assert(sandbox.phase === 'starting', `${sandboxId}: starts once`);
  const { version, provisioned } = sandbox;
  const waiting = version.waiting.first;
  if (initFailed && provisioned) version.provisionFailed = true;
  if (!initFailed) release(turn, sandbox);
  else if (waiting) lend(turn, sandbox, waiting);
  else stop(turn, sandbox, 'init-failed');
  feedHungry(turn);
}

function onStartFailed(turn: Turn, sandboxId: string): void {
  const { state, effects } = turn;
  const sandbox = state.sandboxes.get(sandboxId);
  if (!sandbox) return;
  const { version } = sandbox;
  if (sandbox.provisioned) version.provisionFailed = true;
  removeSandbox(state, sandbox);
  const waiting = version.waiting.first;
  if (waiting) {
    removeInvoke(state, waiting);
    effects.push({ type: 'fail', invokeId: waiting.invokeId, sandboxId });
  }
  feed(turn, version);
  forgetIfUnused(state, version);
  feedHungry(turn);
}

function onAnswered(turn: Turn, invokeId: number, sandboxId: string): void {
  const { state } = turn;
  const invoke = state.invokes.get(invokeId);
  assert(invoke, `invoke ${invokeId} is answered once`);
  const sandbox = state.sandboxes.get(sandboxId);
  if (sandbox?.invokeId === invokeId) enterSettling(state, sandbox, turn.nowMs);
  removeInvoke(state, invoke);
  forgetIfUnused(state, invoke.version);
}

function onSettled(turn: Turn, sandboxId: string): void {
  const sandbox = turn.state.sandboxes.get(sandboxId);
  if (!sandbox) return;
  assert(sandbox.phase === 'busy' || sandbox.phase === 'settling', `${sandboxId}: settles lent`);
  release(turn, sandbox);
  if (turn.state.hungry.size > 0) feedHungry(turn);
}

function onEnded(turn: Turn, sandboxId: string): void {
  const sandbox = turn.state.sandboxes.get(sandboxId);
  if (!sandbox) return;
  removeSandbox(turn.state, sandbox);
  feed(turn, sandbox.version);
  forgetIfUnused(turn.state, sandbox.version);
  feedHungry(turn);
}

function onDrain(turn: Turn, versionArn: string): void {
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

function onProvision(turn: Turn, key: VersionKey, count: number): void {
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

function onReclaim(turn: Turn, count: number): void {
  for (let i = 0; i < count; i++) {
    const oldest = turn.state.allIdle.first;
    if (!oldest) return;
    stop(turn, oldest, 'reclaimed');
  }
}

function onTick(turn: Turn): void {
  const { state, nowMs } = turn;
  const { idleMs, waitMs, settleMs } = state.limits;
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
    if (!settling || settling.sinceMs + settleMs > nowMs) break;
    leavePhase(state, settling);
    feed(turn, settling.version);
  }
  if (state.retryStartsAtMs <= nowMs) state.retryStartsAtMs = Number.POSITIVE_INFINITY;
  feedHungry(turn);
}

function onClose(turn: Turn, force: boolean): void {
  const { state } = turn;
  state.closing = true;
  if (force) for (const waiting of state.allWaiting) refuse(turn, waiting, 'closing');
  for (const sandbox of state.sandboxes.values()) {
    if (force || sandbox.phase === 'idle') stop(turn, sandbox, 'closing');
    else sandbox.doomed = true;
  }
}
