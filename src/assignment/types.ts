/**
 * One revision of one function version, as far as deciding needs it. What a sandbox is made of
 * (environment, secrets, code) is for the worker to look up, and never comes here.
 */
export interface VersionRef {
  /** `versionArn`, `revision` and the tenant, if any, in one string. */
  readonly key: string;
  /** Qualified: of `$LATEST` or a number. */
  readonly versionArn: string;
  readonly functionArn: string;
  readonly accountId: string;
  /**
   * Changes with every change of code or configuration. Sandboxes of one revision never serve
   * another, so an update is complete the moment the frontend sends the new one.
   */
  readonly revision: string;
  readonly memoryMb: number;
  /** Where a function keeps its tenants apart: a sandbox serves one of them for its whole life. */
  readonly tenantId?: string;
}

export function versionRef(parts: Omit<VersionRef, 'key'>): VersionRef {
  const { versionArn, functionArn, accountId, revision, memoryMb, tenantId } = parts;
  const key = `${versionArn}#${revision}`;
  return {
    key: tenantId === undefined ? key : `${key}#${tenantId}`,
    versionArn,
    functionArn,
    accountId,
    revision,
    memoryMb,
    ...(tenantId === undefined ? {} : { tenantId }),
  };
}

export type InitializationType = 'on-demand' | 'provisioned-concurrency';

/** How much may run at once, as of one invoke. */
export interface ConcurrencyAllowance {
  /** Of the whole account. */
  readonly account: number;
  /** What the account's functions have reserved, and those without a reservation provisioned. */
  readonly reservedTotal: number;
  /** What this function has reserved; absent means it draws on the unreserved rest. */
  readonly reserved?: number | undefined;
}

/** What an admitted invoke counts against, besides its function and its account. */
export type InvokePool = 'provisioned' | 'reserved' | 'unreserved';

export interface AcquireRequest {
  readonly version: VersionRef;
  readonly allowance: ConcurrencyAllowance;
  /** How long to wait for a sandbox at most, counted from the leader's receipt of the request. */
  readonly patienceMs?: number | undefined;
}

/**
 * A sandbox lent to one invoke: plain data, so that it reads the same after a journey. The worker
 * itself sees to it that a lease is used once, and none of an older term than it has seen.
 */
export interface Lease {
  /** Unique within the term, and growing. */
  readonly leaseId: number;
  /** Grows with each leader of the partition. */
  readonly term: number;
  readonly workerId: string;
  readonly workerAddress: string;
  readonly sandboxId: string;
  readonly version: VersionRef;
  /** The first lease of its sandbox. */
  readonly coldStart: boolean;
  /** What the invoke counts against: a successor of this leader counts it there too. */
  readonly pool: InvokePool;
}

/** A lease by its names. */
export type LeaseRef = Pick<Lease, 'leaseId' | 'term' | 'sandboxId'>;

/** Why a worker did not take a lease's event; the sandbox has not seen it. */
export type LeaseVerdict = 'busy' | 'gone' | 'superseded';

/**
 * How a lease goes on: the invoke is `answered` and the sandbox about to be free; it is `settled`
 * and may be lent again; or the worker refused the lease.
 */
export type LeaseOutcome = 'answered' | 'settled' | LeaseVerdict;

/** What to start, and under which name. */
export interface StartOrder {
  readonly sandboxId: string;
  readonly version: VersionRef;
  readonly initializationType: InitializationType;
  readonly term: number;
}

/** What a leader asks of a worker, near or far; all of it plain data. */
export interface WorkerControl {
  readonly workerId: string;
  /** Where it takes events; empty for the worker of this process. */
  readonly address: string;
  /**
   * Resolves after init, or after its failure by the function's fault. Rejects with a
   * `SluiceError` when the fault is ours (`SANDBOX_START_FAILED`, `START_LIMIT_EXCEEDED`, …).
   */
  start(order: StartOrder, signal: AbortSignal): Promise<{ readonly initFailed: boolean }>;
  /** Idempotent; resolves when nothing of the sandbox is left. */
  stop(sandboxId: string): Promise<void>;
}

/** One sandbox in a worker's report. */
export interface SandboxReport {
  readonly sandboxId: string;
  readonly phase: 'starting' | 'idle' | 'busy';
  /** The lease that it has, or had last. */
  readonly lease?: Pick<Lease, 'leaseId' | 'term' | 'pool'> | undefined;
}

/** All that a worker has, whole and in order: a later report replaces an earlier one. */
export interface WorkerReport {
  readonly workerId: string;
  readonly address: string;
  /** It is on its way out: no new sandboxes. */
  readonly draining: boolean;
  readonly freeMemoryBytes: number;
  readonly startsUnderWay: number;
  readonly sandboxes: readonly SandboxReport[];
}

/** What workers tell the leader without being asked. */
export interface WorkerListener {
  release(lease: LeaseRef, outcome: LeaseOutcome): void;
  /** The sandbox can no longer serve, for whatever reason. */
  ended(sandboxId: string): void;
  reported(report: WorkerReport): void;
}
