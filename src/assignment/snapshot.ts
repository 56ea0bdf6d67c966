import { SluiceError } from '../base/mod.ts';
import { addLease, enterWaiting } from './lease-records.ts';
import { append, nodeOf, valuesOf } from './linked-list.ts';
import { decodeRates, encodeRates, type RatesSnapshot } from './rates.ts';
import { versionOf, workerOf } from './records.ts';
import { addSandbox, leavePhase } from './sandbox-records.ts';
import {
  type AssignmentLimits,
  type AssignmentState,
  createState,
  type LeaseRecord,
  type ProvisionFailure,
  type SandboxPhase,
  type SandboxRecord,
  type VersionState,
} from './state.ts';
import type { TokenBucket } from './token-bucket.ts';
import type { InvokePool, VersionRef } from './types.ts';

const FORMAT = 1;

const scalars = [
  'nowMs',
  'clockShiftMs',
  'leading',
  'term',
  'idPrefix',
  'sandboxesEver',
  'closing',
  'settleMs',
  'retryStartsAtMs',
] as const;

type Scalars = Pick<AssignmentState, (typeof scalars)[number]>;

interface LeaseSnapshot {
  readonly leaseId: number;
  readonly term: number;
  readonly pool: InvokePool;
  readonly sinceMs: number;
  readonly untilMs: number | undefined;
}

interface SandboxSnapshot {
  readonly sandboxId: string;
  readonly version: string;
  readonly phase: SandboxPhase;
  readonly lease: LeaseSnapshot | undefined;
  readonly leaseId: number;
  readonly leaseTerm: number;
  readonly sinceMs: number;
  readonly doomed: boolean;
  readonly provisioned: boolean;
  readonly misses: number;
}

/** A state as plain data: JSON, complete in itself. Counts are counted again. */
export interface AssignmentSnapshot extends Scalars {
  readonly format: typeof FORMAT;
  readonly workers: readonly {
    readonly workerId: string;
    readonly address: string;
    readonly sandboxes: readonly string[];
  }[];
  readonly versions: readonly {
    readonly ref: VersionRef;
    readonly provisionedTarget: number;
    readonly provisionFailure: ProvisionFailure | undefined;
  }[];
  readonly functions: readonly {
    readonly functionArn: string;
    readonly limit: number;
    readonly requests: TokenBucket;
    readonly starts: TokenBucket;
  }[];
  readonly ratesKept: RatesSnapshot;
  readonly sandboxes: readonly SandboxSnapshot[];
  /** Lists by their members, first to last. */
  readonly idle: readonly string[];
  readonly idleProvisioned: readonly string[];
  readonly settling: readonly string[];
  readonly waiting: readonly (LeaseSnapshot & { readonly version: string })[];
  readonly hungry: readonly string[];
}

export function encodeState(state: AssignmentState): AssignmentSnapshot {
  const { workers, versions, functions, sandboxes } = state;
  const idOf = ({ sandboxId }: SandboxRecord) => sandboxId;
  return {
    format: FORMAT,
    ...scalarsOf(state),
    workers: [...workers.values()].map((worker) => ({
      workerId: worker.workerId,
      address: worker.address,
      sandboxes: [...worker.sandboxes].map(idOf),
    })),
    versions: [...versions.values()].map(({ ref, provisionedTarget, provisionFailure }) => ({
      ref,
      provisionedTarget,
      provisionFailure,
    })),
    functions: [...functions.values()].map(({ functionArn, limit, requests, starts }) => ({
      functionArn,
      limit,
      requests: { ...requests },
      starts: { ...starts },
    })),
    ratesKept: encodeRates(state),
    sandboxes: [...sandboxes.values()].map(encodeSandbox),
    idle: valuesOf(state.allIdle).map(idOf),
    idleProvisioned: [...versions.values()].flatMap((each) =>
      valuesOf(each.idleProvisioned).map(idOf),
    ),
    settling: valuesOf(state.allSettling).map(idOf),
    waiting: valuesOf(state.allWaiting).map((lease) => ({
      ...encodeLease(lease),
      version: lease.version.ref.key,
    })),
    hungry: [...state.hungry].map(({ ref }) => ref.key),
  };
}

function scalarsOf(from: Scalars): Scalars {
  return Object.fromEntries(scalars.map((name) => [name, from[name]])) as unknown as Scalars;
}

function encodeLease({ leaseId, term, pool, sinceMs, untilMs }: LeaseRecord): LeaseSnapshot {
  return { leaseId, term, pool, sinceMs, untilMs };
}

function encodeSandbox(sandbox: SandboxRecord): SandboxSnapshot {
  const { sandboxId, phase, leaseId, leaseTerm, sinceMs, doomed, provisioned, misses } = sandbox;
  const version = sandbox.version.ref.key;
  const lease = sandbox.lease && encodeLease(sandbox.lease);
  const names = { sandboxId, version, phase, lease, leaseId, leaseTerm };
  return { ...names, sinceMs, doomed, provisioned, misses };
}

/**
 * The state that a snapshot is of: steps as the one that was encoded. Throws `STORE_CORRUPT` for a
 * snapshot of another format.
 */
export function decodeState(
  snapshot: AssignmentSnapshot,
  limits: AssignmentLimits,
): AssignmentState {
  if (snapshot.format !== FORMAT) {
    const message = `assignment snapshot: format ${String(snapshot.format)} is not known`;
    throw new SluiceError('STORE_CORRUPT', message);
  }
  const state = createState(limits);
  Object.assign(state, scalarsOf(snapshot));
  decodeVersions(state, snapshot);
  for (const each of snapshot.sandboxes) decodeSandbox(state, each);
  for (const { workerId, address, sandboxes } of snapshot.workers) {
    const worker = workerOf(state, workerId);
    worker.address = address;
    for (const sandboxId of sandboxes) {
      const sandbox = sandboxOf(state, sandboxId);
      sandbox.worker = worker;
      worker.sandboxes.add(sandbox);
    }
  }
  decodeLists(state, snapshot);
  return state;
}

function decodeVersions(state: AssignmentState, snapshot: AssignmentSnapshot): void {
  for (const { ref, provisionedTarget, provisionFailure } of snapshot.versions) {
    const version = versionOf(state, ref);
    version.provisionedTarget = provisionedTarget;
    version.provisionFailure = provisionFailure;
    version.function.provisioned += provisionedTarget;
  }
  for (const { functionArn, limit, requests, starts } of snapshot.functions) {
    const owner = state.functions.get(functionArn);
    if (!owner) throw corrupt(functionArn);
    owner.limit = limit;
    Object.assign(owner.requests, requests);
    Object.assign(owner.starts, starts);
  }
  decodeRates(state, snapshot.ratesKept);
}

function decodeSandbox(state: AssignmentState, from: SandboxSnapshot): void {
  const version = versionNamed(state, from.version);
  const sandbox = addSandbox(state, version, from.sandboxId, from.provisioned);
  if (from.phase !== 'placing' && from.phase !== 'starting') leavePhase(state, sandbox);
  const { phase, leaseId, leaseTerm, sinceMs, doomed, misses } = from;
  Object.assign(sandbox, { phase, leaseId, leaseTerm, sinceMs, doomed, misses });
  if (phase === 'idle') version.function.occupied--;
  if (from.lease) sandbox.lease = decodeLease(state, version, from.lease);
}

function decodeLease(
  state: AssignmentState,
  version: VersionState,
  { leaseId, term, pool, sinceMs, untilMs }: LeaseSnapshot,
): LeaseRecord {
  const lease = addLease(state, version, { leaseId, term, pool });
  return Object.assign(lease, { sinceMs, untilMs });
}

function decodeLists(state: AssignmentState, snapshot: AssignmentSnapshot): void {
  const nodeFor = (sandboxId: string) => {
    const sandbox = sandboxOf(state, sandboxId);
    sandbox.node = nodeOf(sandbox);
    return { sandbox, node: sandbox.node };
  };
  for (const sandboxId of snapshot.idle) {
    const { sandbox, node } = nodeFor(sandboxId);
    sandbox.allIdleNode = nodeOf(sandbox);
    append(sandbox.version.idle, node);
    append(state.allIdle, sandbox.allIdleNode);
  }
  for (const sandboxId of snapshot.idleProvisioned) {
    const { sandbox, node } = nodeFor(sandboxId);
    append(sandbox.version.idleProvisioned, node);
  }
  for (const sandboxId of snapshot.settling) {
    const { sandbox, node } = nodeFor(sandboxId);
    append(state.allSettling, node);
    sandbox.version.settlingSoon++;
  }
  for (const { version, ...lease } of snapshot.waiting) {
    enterWaiting(state, decodeLease(state, versionNamed(state, version), lease));
  }
  for (const key of snapshot.hungry) state.hungry.add(versionNamed(state, key));
}

function sandboxOf(state: AssignmentState, sandboxId: string): SandboxRecord {
  const sandbox = state.sandboxes.get(sandboxId);
  if (!sandbox) throw corrupt(sandboxId);
  return sandbox;
}

function versionNamed(state: AssignmentState, key: string): VersionState {
  const version = state.versions.get(key);
  if (!version) throw corrupt(key);
  return version;
}

function corrupt(name: string): SluiceError {
  return new SluiceError('STORE_CORRUPT', `${name}: named in an assignment snapshot, not in it`);
}
