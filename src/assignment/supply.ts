import { addStarting, forgetIfUnused, removeSandbox } from './records.ts';
import type {
  AssignmentEffect,
  AssignmentState,
  RefusalReason,
  SandboxRecord,
  StopReason,
  VersionRecord,
} from './state.ts';
import { takeToken } from './token-bucket.ts';

/** One step's working set. */
export interface Turn {
  readonly state: AssignmentState;
  readonly nowMs: number;
  readonly effects: AssignmentEffect[];
}

/**
 * Starts what the version's waiting invokes need, and what is to stand ready for it. Answers what
 * stopped it short, if anything.
 */
export function feed(turn: Turn, version: VersionRecord): RefusalReason | undefined {
  const { state } = turn;
  for (;;) {
    const provisioned = wantsProvisioned(state, version);
    if (!provisioned && version.waiting.length <= version.starting + version.settlingSoon) break;
    const blocked = startBlocked(turn, version, provisioned);
    if (blocked) {
      state.hungry.add(version);
      return blocked;
    }
    const { sandboxId } = addStarting(state, version, provisioned, turn.nowMs);
    turn.effects.push({ type: 'start', sandboxId, version: version.key, provisioned });
  }
  state.hungry.delete(version);
  return undefined;
}

function wantsProvisioned(state: AssignmentState, version: VersionRecord): boolean {
  if (state.closing || version.provisionFailed) return false;
  return version.provisionedMade < version.provisionedTarget;
}

function startBlocked(
  turn: Turn,
  version: VersionRecord,
  provisioned: boolean,
): RefusalReason | undefined {
  const { state, nowMs } = turn;
  const { function: owner, account } = version;
  const { startsPerFunctionBurst, startsPerFunctionPerSecond } = state.limits;
  if (!provisioned && owner.occupied >= owner.limit) return 'ConcurrentInvocationLimitExceeded';
  if (account.starting >= state.limits.startsPerAccount) return 'starts-per-account';
  if (state.starting >= state.limits.startsPerRegion) return 'starts-per-region';
  if (state.sandboxes.size >= state.limits.sandboxes && !state.allIdle.first) return 'sandboxes';
  if (!takeToken(owner.starts, startsPerFunctionBurst, startsPerFunctionPerSecond, nowMs)) {
    retryWithin(turn, 1000 / startsPerFunctionPerSecond);
    return 'starts-per-function';
  }
  const oldest = state.allIdle.first;
  if (state.sandboxes.size >= state.limits.sandboxes && oldest) stop(turn, oldest, 'evicted');
  return undefined;
}

function retryWithin({ state, nowMs }: Turn, delayMs: number): void {
  state.retryStartsAtMs = Math.min(state.retryStartsAtMs, nowMs + delayMs);
}

/** Tries the version again when a start ends, or in a moment anyway. */
export function feedLater(turn: Turn, version: VersionRecord): void {
  turn.state.hungry.add(version);
  retryWithin(turn, turn.state.settleMs);
}

/** Gives versions that met a limit another try; called when a start or a sandbox ends. */
export function feedHungry(turn: Turn): void {
  for (const version of turn.state.hungry) {
    const blocked = feed(turn, version);
    if (blocked === 'starts-per-region' || blocked === 'sandboxes') return;
  }
}

/** The sandbox is out of the count at once; the shell ends it and answers `ended`, or not. */
export function stop(turn: Turn, sandbox: SandboxRecord, reason: StopReason): void {
  removeSandbox(turn.state, sandbox);
  turn.effects.push({ type: 'stop', sandboxId: sandbox.sandboxId, reason });
  forgetIfUnused(turn.state, sandbox.version);
}
