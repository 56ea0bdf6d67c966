import { endLease } from './lease-records.ts';
import { append, nodeOf, unlink } from './linked-list.ts';
import type { AssignmentState, SandboxRecord, VersionState } from './state.ts';

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
  if (provisioned) version.provisionedMade++;
  else {
    version.starting++;
    version.function.occupied++;
  }
  version.account.starting++;
  state.starting++;
  return sandbox;
}

/** Takes the sandbox out of what its phase counts in; it is occupied and in no list after this. */
export function leavePhase(state: AssignmentState, sandbox: SandboxRecord): void {
  const { version } = sandbox;
  if (isStarting(sandbox)) {
    if (sandbox.provisioned) {
      version.provisionedUp++;
      version.function.occupied++;
    } else version.starting--;
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

/** Makes an occupied, started sandbox an ordinary one that goes when it has been idle long enough. */
export function surrenderProvisioned(sandbox: SandboxRecord): void {
  if (!sandbox.provisioned) return;
  sandbox.provisioned = false;
  sandbox.version.provisionedMade--;
  sandbox.version.provisionedUp--;
}
