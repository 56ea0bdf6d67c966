import { assert } from '../base/mod.ts';
import type { RefusalReason } from './events.ts';
import { endLease, leaveWaiting, removeLease } from './lease-records.ts';
import { forgetIfUnused } from './records.ts';
import {
  enterIdle,
  enterSettling,
  enterUnheard,
  leavePhase,
  surrenderProvisioned,
} from './sandbox-records.ts';
import type { AssignmentState, LeaseRecord, SandboxRecord, VersionState } from './state.ts';
import { feed, stop, type Turn } from './supply.ts';
import type { LeaseRef, LeaseVerdict } from './types.ts';

/** Gives the sandbox to the invoke, for that invoke alone. */
export function lend(turn: Turn, sandbox: SandboxRecord, lease: LeaseRecord): void {
  assert(sandbox.phase !== 'busy', `${sandbox.sandboxId}: lent to one invoke at a time`);
  assert(sandbox.version === lease.version, `${sandbox.sandboxId}: serves one version for life`);
  leavePhase(turn.state, sandbox);
  leaveWaiting(turn.state, lease);
  const coldStart = sandbox.leaseId === 0;
  sandbox.phase = 'busy';
  sandbox.lease = lease;
  sandbox.leaseId = lease.leaseId;
  sandbox.leaseTerm = lease.term;
  sandbox.sinceMs = turn.state.nowMs;
  turn.effects.push({
    type: 'lend',
    leaseId: lease.leaseId,
    sandboxId: sandbox.sandboxId,
    workerId: sandbox.worker?.workerId ?? '',
    workerAddress: sandbox.worker?.address ?? '',
    coldStart,
    pool: lease.pool,
  });
}

export function refuse(turn: Turn, lease: LeaseRecord, reason: RefusalReason): void {
  removeLease(turn.state, lease);
  turn.effects.push({ type: 'refuse', leaseId: lease.leaseId, reason });
  forgetIfUnused(turn.state, lease.version);
}

/** The longest waiting invoke whose caller is still there; refuses those whose caller is not. */
function nextWaiting(turn: Turn, version: VersionState): LeaseRecord | undefined {
  for (;;) {
    const lease = version.waiting.first?.value;
    if (lease?.untilMs === undefined || lease.untilMs > turn.state.nowMs) return lease;
    refuse(turn, lease, 'waiting');
  }
}

/** The sandbox can take an invoke: the longest waiting one, or none yet. */
export function release(turn: Turn, sandbox: SandboxRecord): void {
  const { version } = sandbox;
  leavePhase(turn.state, sandbox);
  sandbox.phase = 'settling';
  if (version.provisionedMade > version.provisionedTarget) surrenderProvisioned(sandbox);
  const waiting = nextWaiting(turn, version);
  if (waiting) lend(turn, sandbox, waiting);
  else if (sandbox.doomed || turn.state.closing) stop(turn, sandbox, 'drained');
  else enterIdle(turn.state, sandbox);
}

/** The sandbox that has or last had this very lease; reports about an older one are ignored. */
function holderOf(state: AssignmentState, ref: LeaseRef): SandboxRecord | undefined {
  const sandbox = state.sandboxes.get(ref.sandboxId);
  if (!sandbox || sandbox.leaseId !== ref.leaseId || sandbox.leaseTerm !== ref.term) return;
  return sandbox;
}

export function onAnswered(turn: Turn, ref: LeaseRef): void {
  const sandbox = holderOf(turn.state, ref);
  if (sandbox?.phase !== 'busy') return;
  endLease(turn.state, sandbox);
  enterSettling(turn.state, sandbox);
}

/** Whether it was news. */
export function onSettled(turn: Turn, ref: LeaseRef): boolean {
  const sandbox = holderOf(turn.state, ref);
  if (sandbox?.phase !== 'busy' && sandbox?.phase !== 'settling') return false;
  endLease(turn.state, sandbox);
  release(turn, sandbox);
  return true;
}

export function onUndelivered(turn: Turn, ref: LeaseRef, verdict: LeaseVerdict): void {
  const sandbox = holderOf(turn.state, ref);
  if (sandbox?.phase !== 'busy') return;
  if (verdict === 'gone') stop(turn, sandbox, 'lost');
  else {
    // Somebody else has it, and its worker will say until when.
    endLease(turn.state, sandbox);
    enterUnheard(turn.state, sandbox);
  }
  feed(turn, sandbox.version);
  forgetIfUnused(turn.state, sandbox.version);
}
