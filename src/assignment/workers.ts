import type { AssignmentEvent } from './events.ts';
import { addLease, endLease, removeLease } from './lease-records.ts';
import { release } from './leases.ts';
import { forgetIfUnused, workerOf } from './records.ts';
import { enterUnheard, leavePhase, removeSandbox } from './sandbox-records.ts';
import type { AssignmentState, SandboxRecord, WorkerRecord } from './state.ts';
import { feed, feedHungry, stop, type Turn } from './supply.ts';
import type { SandboxReport } from './types.ts';

/**
 * This node leads from now on. The sandboxes are known; which of them are at work, and for whom,
 * only the workers know. Callers that waited did so at the predecessor and ask again.
 */
export function onElected(turn: Turn, term: number, idPrefix: string): void {
  const { state } = turn;
  state.leading = true;
  state.closing = false;
  state.term = term;
  state.idPrefix = idPrefix;
  state.sandboxesEver = 0;
  state.retryStartsAtMs = undefined;
  state.hungry.clear();
  for (const waiting of [...state.waiting.values()]) removeLease(state, waiting);
  for (const sandbox of [...state.sandboxes.values()]) {
    if (sandbox.phase === 'placing') removeSandbox(state, sandbox);
    else if (sandbox.phase !== 'starting') {
      endLease(state, sandbox);
      enterUnheard(state, sandbox);
    }
    // One report without it is enough: nobody of this term is about to tell the worker of it.
    sandbox.misses = 1;
  }
  for (const version of [...state.versions.values()]) {
    feed(turn, version);
    forgetIfUnused(state, version);
  }
}

export function onWorkerJoined(
  { state }: Turn,
  { workerId, address }: AssignmentEvent & { type: 'worker-joined' },
): void {
  workerOf(state, workerId).address = address;
}

/** Whatever it had is gone with it. */
export function onWorkerLeft(turn: Turn, workerId: string): void {
  const { state } = turn;
  const worker = state.workers.get(workerId);
  if (!worker) return;
  state.workers.delete(workerId);
  for (const sandbox of [...worker.sandboxes]) lose(turn, sandbox);
  feedHungry(turn);
}

function lose(turn: Turn, sandbox: SandboxRecord): void {
  stop(turn, sandbox, 'lost');
  feed(turn, sandbox.version);
}

/** Learns what is known by heart only, and evens out what was lost on the way. */
export function onWorkerReport(
  turn: Turn,
  { workerId, sandboxes }: AssignmentEvent & { type: 'worker-report' },
): void {
  const { state, effects } = turn;
  if (!state.leading) return;
  const worker = workerOf(state, workerId);
  const reported = new Set<string>();
  for (const report of sandboxes) {
    const { sandboxId } = report;
    reported.add(sandboxId);
    const sandbox = state.sandboxes.get(sandboxId);
    if (!sandbox) effects.push({ type: 'stop', sandboxId, workerId, reason: 'orphaned' });
    else if (sandbox.worker === worker) compare(turn, sandbox, report);
  }
  forgetMissing(turn, worker, reported);
  feedHungry(turn);
}

function forgetMissing(turn: Turn, worker: WorkerRecord, reported: ReadonlySet<string>): void {
  for (const sandbox of [...worker.sandboxes]) {
    if (reported.has(sandbox.sandboxId)) {
      sandbox.misses = 0;
      continue;
    }
    // The order to start it may still be under way to the worker.
    if (sandbox.phase === 'starting' && sandbox.misses === 0) continue;
    if (++sandbox.misses > 1) lose(turn, sandbox);
  }
}

function compare(turn: Turn, sandbox: SandboxRecord, report: SandboxReport): void {
  const { state } = turn;
  const inherited =
    sandbox.phase === 'unheard' || (sandbox.phase === 'starting' && sandbox.misses > 0);
  if (inherited) {
    sandbox.leaseId = report.lease?.leaseId ?? 0;
    sandbox.leaseTerm = report.lease?.term ?? 0;
    if (report.phase === 'idle') release(turn, sandbox);
    else if (report.phase === 'busy') adopt(state, sandbox, report);
    return;
  }
  if (report.phase !== 'idle' || sandbox.phase !== 'busy') return;
  const seen = hasSeenLease(sandbox, report);
  if (!seen && state.nowMs - sandbox.sinceMs < state.limits.takeUpMs) return;
  // Its end was not heard of, or whoever had the lease never came.
  endLease(state, sandbox);
  release(turn, sandbox);
}

function hasSeenLease(sandbox: SandboxRecord, { lease }: SandboxReport): boolean {
  return lease?.leaseId === sandbox.leaseId && lease.term === sandbox.leaseTerm;
}

/** It works for a lease that another leader gave; its limits count it as if this one had. */
function adopt(state: AssignmentState, sandbox: SandboxRecord, { lease }: SandboxReport): void {
  leavePhase(state, sandbox);
  sandbox.phase = 'busy';
  sandbox.sinceMs = state.nowMs;
  if (lease) sandbox.lease = addLease(state, sandbox.version, lease);
}
