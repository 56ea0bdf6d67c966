import type { Lease, LeaseVerdict, SandboxReport } from '../assignment/mod.ts';
import type { WorkerSandbox } from './worker-sandbox.ts';

/** A sandbox on this worker, and the lease that it has or had last. */
export interface Hosted {
  readonly sandbox: WorkerSandbox;
  readonly versionKey: string;
  lease: Lease | undefined;
  busy: boolean;
  /** It can no longer serve, and is being cleared away. */
  ended: boolean;
}

/** Why a lease is not taken, if it is not; `term` is the newest that this worker has seen. */
export function leaseVerdict(
  hosted: Omit<Hosted, 'sandbox'> | undefined,
  lease: Lease,
  term: number,
): LeaseVerdict | undefined {
  if (lease.term < term) return 'superseded';
  if (!hosted || hosted.ended || hosted.versionKey !== lease.version.key) return 'gone';
  if (hosted.busy) return 'busy';
  const { lease: last } = hosted;
  const used = last?.term === lease.term && last.leaseId >= lease.leaseId;
  return used ? 'superseded' : undefined;
}

export function reportOf({ sandbox, busy, lease }: Hosted): SandboxReport {
  const { sandboxId } = sandbox;
  const phase = busy ? 'busy' : 'idle';
  if (!lease) return { sandboxId, phase };
  const { leaseId, term, pool } = lease;
  return { sandboxId, phase, lease: { leaseId, term, pool } };
}
