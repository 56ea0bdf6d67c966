import { append, nodeOf, unlink } from './linked-list.ts';
import type { AssignmentState, LeaseRecord, SandboxRecord, VersionState } from './state.ts';
import type { InvokePool } from './types.ts';

/** From here on the invoke counts against its limits. */
export function addLease(
  state: AssignmentState,
  version: VersionState,
  facts: { leaseId: number; term: number; pool: InvokePool; patienceMs?: number | undefined },
): LeaseRecord {
  const { leaseId, term, pool, patienceMs } = facts;
  const lease: LeaseRecord = {
    leaseId,
    term,
    version,
    pool,
    sinceMs: state.nowMs,
    untilMs: patienceMs === undefined ? undefined : state.nowMs + patienceMs,
    node: undefined,
    allNode: undefined,
  };
  state.inFlight++;
  version.inFlight++;
  version.function.inFlight++;
  version.account.inFlight++;
  if (pool === 'provisioned') countProvisioned(version, 1);
  if (pool === 'unreserved') version.account.unreservedInFlight++;
  return lease;
}

/** The invoke is answered, refused, cancelled or lost: it no longer counts. */
export function removeLease(state: AssignmentState, lease: LeaseRecord): void {
  const { version } = lease;
  leaveWaiting(state, lease);
  state.inFlight--;
  version.inFlight--;
  version.function.inFlight--;
  version.account.inFlight--;
  if (lease.pool === 'provisioned') countProvisioned(version, -1);
  if (lease.pool === 'unreserved') version.account.unreservedInFlight--;
}

function countProvisioned(version: VersionState, by: 1 | -1): void {
  version.provisionedInFlight += by;
  version.function.provisionedInFlight += by;
}

export function enterWaiting(state: AssignmentState, lease: LeaseRecord): void {
  state.waiting.set(lease.leaseId, lease);
  lease.node = nodeOf(lease);
  lease.allNode = nodeOf(lease);
  append(lease.version.waiting, lease.node);
  append(state.allWaiting, lease.allNode);
}

export function leaveWaiting(state: AssignmentState, lease: LeaseRecord): void {
  if (!lease.node || !lease.allNode) return;
  state.waiting.delete(lease.leaseId);
  unlink(lease.node);
  unlink(lease.allNode);
}

export function endLease(state: AssignmentState, sandbox: SandboxRecord): void {
  if (sandbox.lease) removeLease(state, sandbox.lease);
  sandbox.lease = undefined;
}
