import { assert } from '../base/mod.ts';
import { unlink } from './linked-list.ts';
import {
  enterIdle,
  forgetIfUnused,
  leavePhase,
  removeInvoke,
  surrenderProvisioned,
} from './records.ts';
import type { InvokeRecord, RefusalReason, SandboxRecord } from './state.ts';
import { stop, type Turn } from './supply.ts';

/** Gives the sandbox to the invoke, for that invoke alone. */
export function lend(turn: Turn, sandbox: SandboxRecord, invoke: InvokeRecord): void {
  assert(sandbox.phase !== 'busy', `${sandbox.sandboxId}: lent to one invoke at a time`);
  assert(sandbox.version === invoke.version, `${sandbox.sandboxId}: serves one version for life`);
  leavePhase(turn.state, sandbox);
  invoke.waitingNode = unlink(invoke.waitingNode);
  invoke.allWaitingNode = unlink(invoke.allWaitingNode);
  sandbox.phase = 'busy';
  sandbox.invokeId = invoke.invokeId;
  sandbox.sinceMs = turn.nowMs;
  const { sandboxId } = sandbox;
  turn.effects.push({ type: 'lend', sandboxId, invokeId: invoke.invokeId });
}

export function refuse(turn: Turn, invoke: InvokeRecord, reason: RefusalReason): void {
  removeInvoke(turn.state, invoke);
  turn.effects.push({ type: 'refuse', invokeId: invoke.invokeId, reason });
  forgetIfUnused(turn.state, invoke.version);
}

/** The sandbox can take an invoke: the longest waiting one, or none yet. */
export function release(turn: Turn, sandbox: SandboxRecord): void {
  const { version } = sandbox;
  leavePhase(turn.state, sandbox);
  sandbox.phase = 'settling';
  if (version.provisionedMade > version.provisionedTarget) surrenderProvisioned(sandbox);
  const waiting = version.waiting.first;
  if (waiting) lend(turn, sandbox, waiting);
  else if (sandbox.doomed || turn.state.closing) stop(turn, sandbox, 'drained');
  else enterIdle(turn.state, sandbox, turn.nowMs);
}
