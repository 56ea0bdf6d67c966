import { assert, unreachable } from '../base/mod.ts';
import { admit, lastIdle } from './admission.ts';
import { lend, refuse, release } from './leases.ts';
import {
  addInvoke,
  enterSettling,
  forgetIfUnused,
  removeInvoke,
  removeSandbox,
  versionOf,
} from './records.ts';
import type { AssignmentEffect, AssignmentEvent, AssignmentState } from './state.ts';
import { feed, feedHungry, feedLater, stop, type Turn } from './supply.ts';
import { onClose, onDrain, onProvision, onReclaim, onTick } from './upkeep.ts';

/** What one start counts in how long starts take lately. */
const startWeight = 0.25;

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
      onStartFailed(turn, event.sandboxId, event.limited);
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
  noteStart(turn, turn.nowMs - sandbox.sinceMs);
  const waiting = version.waiting.first;
  if (initFailed && provisioned) version.provisionFailed = true;
  if (!initFailed) release(turn, sandbox);
  else if (waiting) lend(turn, sandbox, waiting);
  else stop(turn, sandbox, 'init-failed');
  feedHungry(turn);
}

function noteStart({ state }: Turn, tookMs: number): void {
  const { settleMs, settleMsMost } = state.limits;
  const lately = state.settleMs + (tookMs - state.settleMs) * startWeight;
  state.settleMs = Math.min(settleMsMost, Math.max(settleMs, lately));
}

function onStartFailed(turn: Turn, sandboxId: string, limited: boolean): void {
  const { state, effects } = turn;
  const sandbox = state.sandboxes.get(sandboxId);
  if (!sandbox) return;
  const { version } = sandbox;
  if (sandbox.provisioned && !limited) version.provisionFailed = true;
  removeSandbox(state, sandbox);
  if (limited) version.function.starts.tokens++;
  if (limited && version.sandboxes.size > 0) {
    // Others of the version will serve who waits, or make room for a start by ending theirs.
    feedLater(turn, version);
    return;
  }
  const waiting = version.waiting.first;
  if (waiting) {
    removeInvoke(state, waiting);
    effects.push({ type: 'fail', invokeId: waiting.invokeId, sandboxId });
  }
  if (limited) feedLater(turn, version);
  else feed(turn, version);
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
