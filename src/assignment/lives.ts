import type { AssignmentEvent, StartError } from './events.ts';
import { removeLease } from './lease-records.ts';
import { lend, refuse, release } from './leases.ts';
import { forgetIfUnused, versionOf, workerOf } from './records.ts';
import { addSandbox, enterUnheard, isStarting, removeSandbox } from './sandbox-records.ts';
import type { AssignmentState, VersionState } from './state.ts';
import { feed, feedHungry, feedLater, stop, type Turn } from './supply.ts';
import { giveBack } from './token-bucket.ts';

/** What one start counts in how long starts take lately. */
const startWeight = 0.25;

export function onBorn(turn: Turn, event: AssignmentEvent & { type: 'born' }): void {
  const { state, effects } = turn;
  const { sandboxId, workerId, provisioned } = event;
  let sandbox = state.sandboxes.get(sandboxId);
  if (!sandbox && state.leading) {
    // Nobody wanted it any more by the time a worker was found.
    effects.push({ type: 'stop', sandboxId, workerId, reason: 'drained' });
    return;
  }
  sandbox ??= addSandbox(state, versionOf(state, event.version), sandboxId, provisioned);
  if (sandbox.phase !== 'placing') return;
  const worker = workerOf(state, workerId);
  sandbox.phase = 'starting';
  sandbox.worker = worker;
  worker.sandboxes.add(sandbox);
  const { ref } = sandbox.version;
  if (state.leading) {
    effects.push({ type: 'start', sandboxId, workerId, version: ref, provisioned });
  }
}

export function onReady(turn: Turn, sandboxId: string, initFailed: boolean): void {
  const { state } = turn;
  const sandbox = state.sandboxes.get(sandboxId);
  if (sandbox?.phase !== 'starting') return;
  if (!state.leading) {
    enterUnheard(state, sandbox);
    return;
  }
  const { version, provisioned } = sandbox;
  noteStart(state, state.nowMs - sandbox.sinceMs);
  // What failed before any call is no caller's to see: who waits has a start of its own.
  const waiting = provisioned ? undefined : version.waiting.first?.value;
  if (initFailed && provisioned) version.provisionFailure = 'init';
  if (!initFailed) release(turn, sandbox);
  else if (waiting) lend(turn, sandbox, waiting);
  else stop(turn, sandbox, 'init-failed');
  feedHungry(turn);
}

function noteStart(state: AssignmentState, tookMs: number): void {
  const { settleMs, settleMsMost } = state.limits;
  const lately = state.settleMs + (tookMs - state.settleMs) * startWeight;
  state.settleMs = Math.min(settleMsMost, Math.max(settleMs, lately));
}

export function onDied(turn: Turn, sandboxId: string, error: StartError | undefined): void {
  const { state } = turn;
  const sandbox = state.sandboxes.get(sandboxId);
  if (!sandbox) return;
  const { version, provisioned } = sandbox;
  const neverUp = isStarting(sandbox);
  removeSandbox(state, sandbox);
  const limited = neverUp && error?.code === 'START_LIMIT_EXCEEDED' && state.leading;
  if (limited) giveBack(version.function.starts);
  if (limited && version.sandboxes.size > 0) {
    // Others of the version will serve who waits, or make room for a start by ending theirs. Not
    // at once: the worker that refused this start would refuse the next.
    feedLater(turn, version);
    return;
  }
  if (neverUp && error && state.leading) startFailed(turn, version, provisioned, error);
  else feed(turn, version);
  forgetIfUnused(state, version);
  feedHungry(turn);
}

function startFailed(
  turn: Turn,
  version: VersionState,
  provisioned: boolean,
  error: StartError,
): void {
  const { state, effects } = turn;
  const limited = error.code === 'START_LIMIT_EXCEEDED';
  if (provisioned && !limited) version.provisionFailure = 'start';
  const waiting = provisioned ? undefined : version.waiting.first?.value;
  if (waiting && limited) refuse(turn, waiting, 'starts-per-worker');
  else if (waiting) {
    removeLease(state, waiting);
    effects.push({ type: 'fail', leaseId: waiting.leaseId, error });
  }
  if (limited) feedLater(turn, version);
  else feed(turn, version);
}
