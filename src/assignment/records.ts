import { assert } from '../base/mod.ts';
import { LinkedList, unlink } from './linked-list.ts';
import type {
  AssignmentState,
  InvokePool,
  InvokeRecord,
  SandboxRecord,
  VersionKey,
  VersionRecord,
} from './state.ts';
import { fullBucket } from './token-bucket.ts';

/** The version's record, made on first sight together with its function's and account's. */
export function versionOf(state: AssignmentState, key: VersionKey, nowMs: number): VersionRecord {
  const known = state.versions.get(key.key);
  if (known) return known;
  let account = state.accounts.get(key.accountId);
  if (!account) {
    account = {
      accountId: key.accountId,
      inFlight: 0,
      unreservedInFlight: 0,
      starting: 0,
      functions: 0,
    };
    state.accounts.set(key.accountId, account);
  }
  let owner = state.functions.get(key.functionArn);
  if (!owner) {
    owner = {
      functionArn: key.functionArn,
      inFlight: 0,
      occupied: 0,
      limit: 0,
      provisioned: 0,
      requests: fullBucket(Number.POSITIVE_INFINITY, nowMs),
      starts: fullBucket(state.limits.startsPerFunctionBurst, nowMs),
      versions: 0,
    };
    state.functions.set(key.functionArn, owner);
    account.functions++;
  }
  owner.versions++;
  const version: VersionRecord = {
    key,
    function: owner,
    account,
    idle: new LinkedList(),
    idleProvisioned: new LinkedList(),
    waiting: new LinkedList(),
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
  state.versions.set(key.key, version);
  const siblings = state.versionsByArn.get(key.versionArn);
  if (siblings) siblings.add(version);
  else state.versionsByArn.set(key.versionArn, new Set([version]));
  return version;
}

/** Forgets a version that nothing refers to any more, and what only it kept. */
export function forgetIfUnused(state: AssignmentState, version: VersionRecord): void {
  if (version.inFlight > 0 || version.sandboxes.size > 0) return;
  if (version.provisionedTarget > 0) return;
  const { key, function: owner, account } = version;
  if (!state.versions.delete(key.key)) return;
  state.hungry.delete(version);
  const siblings = state.versionsByArn.get(key.versionArn);
  siblings?.delete(version);
  if (siblings?.size === 0) state.versionsByArn.delete(key.versionArn);
  owner.versions--;
  if (owner.versions > 0) return;
  assert(owner.inFlight === 0 && owner.occupied === 0, `${key.functionArn}: forgotten while used`);
  state.functions.delete(key.functionArn);
  account.functions--;
  if (account.functions > 0) return;
  assert(account.inFlight === 0 && account.starting === 0, 'an account is forgotten while used');
  state.accounts.delete(key.accountId);
}

/** Admits an invoke: from here on it counts against its limits. */
export function addInvoke(
  state: AssignmentState,
  version: VersionRecord,
  invokeId: number,
  pool: InvokePool,
  nowMs: number,
): InvokeRecord {
  assert(!state.invokes.has(invokeId), `invoke ${invokeId} is new`);
  const invoke: InvokeRecord = {
    invokeId,
    version,
    pool,
    sinceMs: nowMs,
    waitingNode: undefined,
    allWaitingNode: undefined,
  };
  state.invokes.set(invokeId, invoke);
  version.inFlight++;
  version.function.inFlight++;
  version.account.inFlight++;
  if (pool === 'provisioned') version.provisionedInFlight++;
  if (pool === 'unreserved') version.account.unreservedInFlight++;
  return invoke;
}

/** The invoke is answered, refused or cancelled: it no longer counts. */
export function removeInvoke(state: AssignmentState, invoke: InvokeRecord): void {
  const { version } = invoke;
  invoke.waitingNode = unlink(invoke.waitingNode);
  invoke.allWaitingNode = unlink(invoke.allWaitingNode);
  assert(state.invokes.delete(invoke.invokeId), `invoke ${invoke.invokeId} ends once`);
  version.inFlight--;
  version.function.inFlight--;
  version.account.inFlight--;
  if (invoke.pool === 'provisioned') version.provisionedInFlight--;
  if (invoke.pool === 'unreserved') version.account.unreservedInFlight--;
}

export function addStarting(
  state: AssignmentState,
  version: VersionRecord,
  provisioned: boolean,
  nowMs: number,
): SandboxRecord {
  const sandbox: SandboxRecord = {
    sandboxId: `${state.sandboxIdPrefix}-${++state.sandboxesEver}`,
    version,
    phase: 'starting',
    invokeId: undefined,
    sinceMs: nowMs,
    doomed: false,
    provisioned,
    idleNode: undefined,
    allIdleNode: undefined,
    settlingNode: undefined,
  };
  state.sandboxes.set(sandbox.sandboxId, sandbox);
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
  if (sandbox.phase === 'starting') {
    version.starting--;
    if (sandbox.provisioned) version.provisionedUp++;
    version.account.starting--;
    state.starting--;
  } else if (sandbox.phase === 'idle') {
    sandbox.idleNode = unlink(sandbox.idleNode);
    sandbox.allIdleNode = unlink(sandbox.allIdleNode);
    version.function.occupied++;
  } else if (sandbox.settlingNode) {
    sandbox.settlingNode = unlink(sandbox.settlingNode);
    version.settlingSoon--;
  }
}

export function enterIdle(state: AssignmentState, sandbox: SandboxRecord, nowMs: number): void {
  leavePhase(state, sandbox);
  sandbox.phase = 'idle';
  sandbox.invokeId = undefined;
  sandbox.sinceMs = nowMs;
  if (sandbox.provisioned) sandbox.idleNode = sandbox.version.idleProvisioned.push(sandbox);
  else {
    sandbox.idleNode = sandbox.version.idle.push(sandbox);
    sandbox.allIdleNode = state.allIdle.push(sandbox);
  }
  sandbox.version.function.occupied--;
}

export function enterSettling(state: AssignmentState, sandbox: SandboxRecord, nowMs: number): void {
  sandbox.phase = 'settling';
  sandbox.invokeId = undefined;
  sandbox.sinceMs = nowMs;
  sandbox.settlingNode = state.allSettling.push(sandbox);
  sandbox.version.settlingSoon++;
}

export function removeSandbox(state: AssignmentState, sandbox: SandboxRecord): void {
  leavePhase(state, sandbox);
  surrenderProvisioned(sandbox);
  sandbox.version.function.occupied--;
  sandbox.version.sandboxes.delete(sandbox);
  state.sandboxes.delete(sandbox.sandboxId);
}

/** Makes an occupied, started sandbox an ordinary one that goes when it has been idle long enough. */
export function surrenderProvisioned(sandbox: SandboxRecord): void {
  if (!sandbox.provisioned) return;
  sandbox.provisioned = false;
  sandbox.version.provisionedMade--;
  sandbox.version.provisionedUp--;
}
