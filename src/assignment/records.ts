import { assert } from '../base/mod.ts';
import { emptyList } from './linked-list.ts';
import { keepRates, takeRates } from './rates.ts';
import type { AssignmentState, VersionState, WorkerRecord } from './state.ts';
import type { VersionRef } from './types.ts';

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
      provisionedInFlight: 0,
      occupied: 0,
      limit: 0,
      provisioned: 0,
      ...takeRates(state, ref.functionArn),
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
    provisionFailure: undefined,
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
  keepRates(state, owner);
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
