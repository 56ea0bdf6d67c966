import { addStarting, forgetIfUnused, removeSandbox } from './records.ts';
import type {
  AssignmentEffect,
  AssignmentState,
  RefusalReason,
  SandboxRecord,
  StopReason,
  VersionRecord,
} from './state.ts';

/** One step's working set. */
export interface Turn {
  readonly state: AssignmentState;
  readonly nowMs: number;
  readonly effects: AssignmentEffect[];
}

/** Starts what the version's waiting invokes need. Answers what stopped it short, if anything. */
export function feed(turn: Turn, version: VersionRecord): RefusalReason | undefined {
  const { state } = turn;
  while (version.waiting.length > version.starting + version.settlingSoon) {
    const blocked = startBlocked(turn, version);
    if (blocked) {
      state.hungry.add(version);
      return blocked;
    }
    const sandbox = addStarting(state, version, turn.nowMs);
    turn.effects.push({ type: 'start', sandboxId: sandbox.sandboxId, version: version.key });
  }
  state.hungry.delete(version);
  return undefined;
}

function startBlocked(turn: Turn, version: VersionRecord): RefusalReason | undefined {
  const { state } = turn;
  const { function: owner, account } = version;
  if (owner.occupied >= owner.limit) return 'ConcurrentInvocationLimitExceeded';
  if (account.starting >= state.limits.startsPerAccount) return 'starts-per-account';
  if (state.starting >= state.limits.startsPerRegion) return 'starts-per-region';
  if (state.sandboxes.size >= state.limits.sandboxes) {
    const oldest = state.allIdle.first;
    if (!oldest) return 'sandboxes';
    stop(turn, oldest, 'evicted');
  }
  return undefined;
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
