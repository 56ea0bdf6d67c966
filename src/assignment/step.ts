import { unreachable } from '../base/mod.ts';
import { admit, lastIdle } from './admission.ts';
import type { AssignmentEffect, AssignmentEvent } from './events.ts';
import { addLease, enterWaiting, removeLease } from './lease-records.ts';
import { lend, onAnswered, onSettled, onUndelivered, refuse } from './leases.ts';
import { onBorn, onDied, onReady } from './lives.ts';
import { forgetIfUnused, versionOf } from './records.ts';
import type { AssignmentState } from './state.ts';
import { feed, feedHungry, type Turn } from './supply.ts';
import { advance } from './time.ts';
import { onClose, onDrain, onProvisioned, onReclaim, onTick } from './upkeep.ts';
import { onElected, onWorkerJoined, onWorkerLeft, onWorkerReport } from './workers.ts';

export interface AssignmentStep {
  readonly effects: readonly AssignmentEffect[];
}

/**
 * Decides who gets which sandbox. Deterministic, and free of I/O; the state is changed in place.
 *
 * An invoke takes the idle sandbox that was used last (so that the rest can age and go), or waits
 * for the first that gets free or ready. As many sandboxes start as invokes wait that nothing
 * under way will serve. A version that may not start one, and has none, is refused at once.
 */
export function step(state: AssignmentState, event: AssignmentEvent): AssignmentStep {
  const turn: Turn = { state, effects: [] };
  advance(state, event.atMs);
  switch (event.type) {
    case 'acquire':
      onAcquire(turn, event);
      break;
    case 'answered':
      onAnswered(turn, event);
      break;
    case 'settled':
      if (onSettled(turn, event)) feedHungry(turn);
      break;
    case 'cancelled':
      onCancelled(turn, event.leaseId);
      break;
    case 'born':
      onBorn(turn, event);
      break;
    case 'ready':
      onReady(turn, event.sandboxId, event.initFailed);
      break;
    case 'unplaced':
    case 'died':
      onDied(turn, event.sandboxId, event.error);
      break;
    case 'undelivered':
      onUndelivered(turn, event, event.verdict);
      break;
    default:
      stepRarely(turn, event);
  }
  return turn;
}

type RareEvent = Exclude<
  AssignmentEvent,
  {
    readonly type:
      | ('acquire' | 'answered' | 'settled' | 'cancelled' | 'undelivered')
      | ('born' | 'ready' | 'unplaced' | 'died');
  }
>;

function stepRarely(turn: Turn, event: RareEvent): void {
  switch (event.type) {
    case 'elected':
      onElected(turn, event.term, event.idPrefix);
      break;
    case 'worker-joined':
      onWorkerJoined(turn, event);
      break;
    case 'worker-left':
      onWorkerLeft(turn, event.workerId);
      break;
    case 'worker-report':
      onWorkerReport(turn, event);
      break;
    case 'provisioned':
      onProvisioned(turn, event.version, event.count);
      break;
    case 'drain':
      onDrain(turn, event.versionArn);
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
}

function onAcquire(turn: Turn, event: AssignmentEvent & { type: 'acquire' }): void {
  const { state, effects } = turn;
  const { leaseId, patienceMs } = event;
  const version = versionOf(state, event.version);
  const admission = admit(state, version, event.allowance);
  if ('refusal' in admission) {
    effects.push({ type: 'refuse', leaseId, reason: admission.refusal });
    forgetIfUnused(state, version);
    return;
  }
  const { term } = state;
  const lease = addLease(state, version, { leaseId, term, pool: admission.pool, patienceMs });
  const idle = lastIdle(version);
  if (idle) {
    lend(turn, idle, lease);
    return;
  }
  enterWaiting(state, lease);
  const blocked = feed(turn, version);
  if (blocked && blocked !== 'ConcurrentInvocationLimitExceeded' && version.sandboxes.size === 0) {
    refuse(turn, lease, blocked);
  }
}

function onCancelled({ state }: Turn, leaseId: number): void {
  const lease = state.waiting.get(leaseId);
  if (!lease) return;
  removeLease(state, lease);
  forgetIfUnused(state, lease.version);
}
