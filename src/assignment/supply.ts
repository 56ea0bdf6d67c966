import type { AssignmentEffect, RefusalReason, StopReason } from './events.ts';
import { forgetIfUnused } from './records.ts';
import { addSandbox, removeSandbox } from './sandbox-records.ts';
import type { AssignmentState, SandboxRecord, VersionState } from './state.ts';
import { takeToken } from './token-bucket.ts';

/** One step's working set. */
export interface Turn {
  readonly state: AssignmentState;
  readonly effects: AssignmentEffect[];
}

/**
 * Starts what the version's waiting invokes need, and what is to stand ready for it. Answers what
 * stopped it short, if anything.
 */
export function feed(turn: Turn, version: VersionState): RefusalReason | undefined {
  const { state } = turn;
  if (!state.leading) return undefined;
  const waitingBlocked = startAll(turn, version, false);
  const provisionedBlocked = startAll(turn, version, true);
  const blocked = waitingBlocked ?? provisionedBlocked;
  if (blocked) state.hungry.add(version);
  else state.hungry.delete(version);
  return blocked;
}

/** Starts all that is wanted of one sort. Answers what stopped it short. */
function startAll(
  turn: Turn,
  version: VersionState,
  provisioned: boolean,
): RefusalReason | undefined {
  const { state, effects } = turn;
  const wants = provisioned ? wantsProvisioned : wantsOnDemand;
  while (wants(state, version)) {
    const blocked = startBlocked(turn, version, provisioned);
    if (blocked) return blocked;
    const sandboxId = `${state.idPrefix}-${++state.sandboxesEver}`;
    addSandbox(state, version, sandboxId, provisioned);
    effects.push({ type: 'place', sandboxId, version: version.ref, provisioned });
  }
  return undefined;
}

/**
 * Whether somebody waits whom nothing under way will serve. A provisioned sandbox that starts does
 * not count: its init may take minutes, and may fail.
 */
function wantsOnDemand(_state: AssignmentState, version: VersionState): boolean {
  return version.waiting.length > version.starting + version.settlingSoon;
}

function wantsProvisioned(state: AssignmentState, version: VersionState): boolean {
  if (state.closing || version.provisionFailure) return false;
  return version.provisionedMade < version.provisionedTarget;
}

function startBlocked(
  turn: Turn,
  version: VersionState,
  provisioned: boolean,
): RefusalReason | undefined {
  const { state } = turn;
  const { function: owner, account } = version;
  const { startsPerFunctionBurst, startsPerFunctionPerSecond } = state.limits;
  if (!provisioned && owner.occupied >= owner.limit) return 'ConcurrentInvocationLimitExceeded';
  if (account.starting >= state.limits.startsPerAccount) return 'starts-per-account';
  if (state.starting >= state.limits.startsPerRegion) return 'starts-per-region';
  const oldest = state.allIdle.first?.value;
  const full = state.sandboxes.size >= state.limits.sandboxes;
  if (full && !oldest) return 'sandboxes';
  if (!takeToken(owner.starts, startsPerFunctionBurst, startsPerFunctionPerSecond, state.nowMs)) {
    retryWithin(state, 1000 / startsPerFunctionPerSecond);
    return 'starts-per-function';
  }
  if (full && oldest) stop(turn, oldest, 'evicted');
  return undefined;
}

function retryWithin(state: AssignmentState, delayMs: number): void {
  const atMs = state.nowMs + delayMs;
  state.retryStartsAtMs = Math.min(state.retryStartsAtMs ?? atMs, atMs);
}

/** Tries the version again when a start ends, or in a moment anyway. */
export function feedLater(turn: Turn, version: VersionState): void {
  turn.state.hungry.add(version);
  retryWithin(turn.state, turn.state.settleMs);
}

/**
 * Gives versions that met a limit another try; called when a start or a sandbox ends. It stops only
 * at a limit that all of them share: one tenant at a limit of its own keeps nobody waiting.
 */
export function feedHungry(turn: Turn): void {
  if (turn.state.hungry.size === 0) return;
  for (const version of turn.state.hungry) {
    const blocked = feed(turn, version);
    if (blocked === 'starts-per-region' || blocked === 'sandboxes') return;
  }
}

/** The sandbox is out of the count at once; the shell ends it and answers `died`. */
export function stop(turn: Turn, sandbox: SandboxRecord, reason: StopReason): void {
  const { sandboxId, worker } = sandbox;
  removeSandbox(turn.state, sandbox);
  turn.effects.push({ type: 'stop', sandboxId, workerId: worker?.workerId, reason });
  forgetIfUnused(turn.state, sandbox.version);
}
