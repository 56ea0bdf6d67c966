import { assert } from '../base/mod.ts';
import { append, emptyList, nodeOf, unlink } from './linked-list.ts';
import type {
  AssignmentState,
  LeaseRecord,
  SandboxRecord,
  VersionState,
  WorkerRecord,
} from './state.ts';
import { fullBucket } from './token-bucket.ts';
import type { InvokePool, VersionRef } from './types.ts';

/** The version's record, made on first sight together with its function's and account's. */
export function versionOf(state: AssignmentState, ref: VersionRef): VersionState {
  const known = state.versions.get(ref.key);
  if (known) return known;
  let account = state.accounts.get(ref.accountId);
  if (!account) {
    const { accountId } = ref;
    account = { accountId, inFlight: 0, unreservedInFlight: 0, starting: 0, functions: 0 };
    state.accounts.set(accountId, account);
  }
  let owner = state.functions.get(ref.functionArn);
  if (!owner) {
    owner = {
      functionArn: ref.functionArn,
      inFlight: 0,
      occupied: 0,
      limit: 0,
      provisioned: 0,
      requests: fullBucket(state.nowMs),
      starts: fullBucket(state.nowMs),
      versions: 0,
    };
    state.functions.set(ref.functionArn, owner);
    account.functions++;
  }
  owner.versions++;
  const version: VersionState = {
    ref,
    function: owner,
    account,
    idle: emptyList(),
    idleProvisioned: emptyList(),
    waiting: emptyList(),
    sandboxes: new Set(),
    inFlight: 0,
    starting: 0,
    provisionedTarget: 0,
    provisionedMade: 0,
    provisionedUp: 0,
    provisionedInFlight: 0,
    provisionFailed: false,
    settlingSoon: 0,
  };
  state.versions.set(ref.key, version);
  const siblings = state.versionsByArn.get(ref.versionArn);
  if (siblings) siblings.add(version);
  else state.versionsByArn.set(ref.versionArn, new Set([version]));
  return version;
}

/** Forgets a version that nothing refers to any more, and what only it kept. */
export function forgetIfUnused(state: AssignmentState, version: VersionState): void {
  if (version.inFlight > 0 || version.sandboxes.size > 0) return;
  if (version.provisionedTarget > 0) return;
  state.hungry.delete(version);
  const { ref, function: owner, account } = version;
  if (!state.versions.delete(ref.key)) return;
  const siblings = state.versionsByArn.get(ref.versionArn);
  siblings?.delete(version);
  if (siblings?.size === 0) state.versionsByArn.delete(ref.versionArn);
  owner.versions--;
  if (owner.versions > 0) return;
  assert(owner.inFlight === 0 && owner.occupied === 0, `${ref.functionArn}: forgotten while used`);
  state.functions.delete(ref.functionArn);
  account.functions--;
  if (account.functions > 0) return;
  assert(account.inFlight === 0 && account.starting === 0, 'an account is forgotten while used');
  state.accounts.delete(ref.accountId);
}

export function workerOf(state: AssignmentState, workerId: string): WorkerRecord {
  const known = state.workers.get(workerId);
  if (known) return known;
  const worker: WorkerRecord = { workerId, address: '', sandboxes: new Set() };
  state.workers.set(workerId, worker);
  return worker;
}

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
  if (pool === 'provisioned') version.provisionedInFlight++;
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
  if (lease.pool === 'provisioned') version.provisionedInFlight--;
  if (lease.pool === 'unreserved') version.account.unreservedInFlight--;
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
  lease.node = undefined;
  lease.allNode = undefined;
}

export function isStarting({ phase }: SandboxRecord): boolean {
  return phase === 'placing' || phase === 'starting';
}

export function addSandbox(
  state: AssignmentState,
  version: VersionState,
  sandboxId: string,
  provisioned: boolean,
): SandboxRecord {
  const sandbox: SandboxRecord = {
    sandboxId,
    version,
    worker: undefined,
    phase: 'placing',
    lease: undefined,
    leaseId: 0,
    leaseTerm: 0,
    sinceMs: state.nowMs,
    doomed: false,
    provisioned,
    misses: 0,
    node: undefined,
    allIdleNode: undefined,
  };
  state.sandboxes.set(sandboxId, sandbox);
  version.sandboxes.add(sandbox);
  version.starting++;
  if (provisioned) version.provisionedMade++;
  version.account.starting++;
  version.function.occupied++;
  state.starting++;
  return sandbox;
}

/** Takes the sandbox out of what its phase counts in; it is occupied and in no list after this. */
export function leavePhase(state: AssignmentState, sandbox: SandboxRecord): void {
  const { version } = sandbox;
  if (isStarting(sandbox)) {
    version.starting--;
    if (sandbox.provisioned) version.provisionedUp++;
    version.account.starting--;
    state.starting--;
  } else if (sandbox.phase === 'idle') {
    unlink(sandbox.node);
    unlink(sandbox.allIdleNode);
    version.function.occupied++;
  } else if (sandbox.phase === 'settling') stopCountingOn(sandbox);
}

/** A settling sandbox takes longer than is waited for: it counts as busy from here on. */
export function stopCountingOn(sandbox: SandboxRecord): void {
  if (!sandbox.node?.list) return;
  unlink(sandbox.node);
  sandbox.version.settlingSoon--;
}

export function enterIdle(state: AssignmentState, sandbox: SandboxRecord): void {
  leavePhase(state, sandbox);
  const { version } = sandbox;
  sandbox.phase = 'idle';
  sandbox.sinceMs = state.nowMs;
  sandbox.node ??= nodeOf(sandbox);
  if (sandbox.provisioned) append(version.idleProvisioned, sandbox.node);
  else {
    sandbox.allIdleNode ??= nodeOf(sandbox);
    append(version.idle, sandbox.node);
    append(state.allIdle, sandbox.allIdleNode);
  }
  version.function.occupied--;
}

export function enterSettling(state: AssignmentState, sandbox: SandboxRecord): void {
  sandbox.phase = 'settling';
  sandbox.sinceMs = state.nowMs;
  sandbox.node ??= nodeOf(sandbox);
  append(state.allSettling, sandbox.node);
  sandbox.version.settlingSoon++;
}

export function enterUnheard(state: AssignmentState, sandbox: SandboxRecord): void {
  leavePhase(state, sandbox);
  sandbox.phase = 'unheard';
  sandbox.sinceMs = state.nowMs;
}

/** Its invoke, if it has one, is over with it. */
export function removeSandbox(state: AssignmentState, sandbox: SandboxRecord): void {
  leavePhase(state, sandbox);
  surrenderProvisioned(sandbox);
  endLease(state, sandbox);
  sandbox.version.function.occupied--;
  sandbox.version.sandboxes.delete(sandbox);
  sandbox.worker?.sandboxes.delete(sandbox);
  state.sandboxes.delete(sandbox.sandboxId);
}

export function endLease(state: AssignmentState, sandbox: SandboxRecord): void {
  if (sandbox.lease) removeLease(state, sandbox.lease);
  sandbox.lease = undefined;
}

/** Makes an occupied, started sandbox an ordinary one that goes when it has been idle long enough. */
export function surrenderProvisioned(sandbox: SandboxRecord): void {
  if (!sandbox.provisioned) return;
  sandbox.provisioned = false;
  sandbox.version.provisionedMade--;
  sandbox.version.provisionedUp--;
}
