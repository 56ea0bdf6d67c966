import { assert, unreachable } from '../base/mod.ts';
import { unlink } from './linked-list.ts';
import {
  addInvoke,
  enterIdle,
  enterSettling,
  forgetIfUnused,
  leavePhase,
  removeInvoke,
  removeSandbox,
  versionOf,
} from './records.ts';
import type {
  AssignmentEffect,
  AssignmentEvent,
  AssignmentState,
  InvokeRecord,
  RefusalReason,
  SandboxRecord,
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
  const version = versionOf(state, event.version);
  const refusal = admission(state, version, event.limits);
  if (refusal) {
    effects.push({ type: 'refuse', invokeId: event.invokeId, reason: refusal });
    forgetIfUnused(state, version);
    return;
  }
  const reserved = event.limits.reserved !== undefined;
  const invoke = addInvoke(state, version, event.invokeId, reserved, nowMs);
  const idle = version.idle.last;
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

/** Whether the limits let one more invoke in; sets the function's limit in force. */
function admission(
  state: AssignmentState,
  version: VersionRecord,
  limits: (AssignmentEvent & { type: 'invoke' })['limits'],
): RefusalReason | undefined {
  const { function: owner, account } = version;
  if (state.closing) return 'closing';
  owner.limit = limits.reserved ?? Math.max(0, limits.account - limits.reservedTotal);
  if (limits.reserved !== undefined && owner.inFlight >= limits.reserved) {
    return 'ReservedFunctionConcurrentInvocationLimitExceeded';
  }
  if (limits.reserved === undefined && account.unreservedInFlight >= owner.limit) {
    return 'ConcurrentInvocationLimitExceeded';
  }
  // Bites only while a reservation is new and the others have not yet shrunk to what it left.
  if (account.inFlight >= limits.account) return 'ConcurrentInvocationLimitExceeded';
  if (!version.idle.last && version.waiting.length >= state.limits.waitingPerVersion) {
    return 'waiting';
  }
  return undefined;
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
  const waiting = sandbox.version.waiting.first;
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
  const waiting = sandbox.version.waiting.first;
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
  leavePhase(turn.state, sandbox);
  sandbox.phase = 'settling';
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
  for (const version of turn.state.versionsByArn.get(versionArn) ?? []) {
    for (const sandbox of version.sandboxes) {
      if (sandbox.phase === 'idle') stop(turn, sandbox, 'drained');
      else sandbox.doomed = true;
    }
  }
  feedHungry(turn);
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
