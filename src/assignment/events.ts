import type { ErrorCode, ErrorData } from '../base/mod.ts';
import type {
  ConcurrencyAllowance,
  InvokePool,
  LeaseRef,
  LeaseVerdict,
  SandboxReport,
  VersionRef,
} from './types.ts';

/** An error as data, to be raised where its waiter is. */
export interface StartError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly data: ErrorData;
}

/** In region time: milliseconds since the epoch, by the clock of whoever leads. */
interface Timed {
  readonly atMs: number;
}

/**
 * What a journal records, and all that a follower needs: which sandboxes there are, and how many
 * are to stand ready. Everything else is learnt from the workers' reports within a second.
 */
export type DurableEvent =
  /** A start has its worker, which is told after this is recorded. */
  | (Timed & {
      readonly type: 'born';
      readonly sandboxId: string;
      readonly workerId: string;
      readonly version: VersionRef;
      readonly provisioned: boolean;
    })
  /** It is up: ready, or with its init failed by the function's fault. */
  | (Timed & {
      readonly type: 'ready';
      readonly sandboxId: string;
      readonly initFailed: boolean;
    })
  /** Nothing is left of it; with the error where it never was up and the fault is ours. */
  | (Timed & {
      readonly type: 'died';
      readonly sandboxId: string;
      readonly error?: StartError | undefined;
    })
  /** From now on this many sandboxes of the version are to be kept ready. */
  | (Timed & {
      readonly type: 'provisioned';
      readonly version: VersionRef;
      readonly count: number;
    });

export type SoftEvent =
  /** This node leads from now on. What its predecessor knew only by heart is forgotten. */
  | (Timed & {
      readonly type: 'elected';
      readonly term: number;
      /** Of sandboxes to come: ids of an earlier life or leader never come back. */
      readonly idPrefix: string;
    })
  | (Timed & {
      readonly type: 'acquire';
      readonly leaseId: number;
      readonly version: VersionRef;
      readonly allowance: ConcurrencyAllowance;
      readonly patienceMs?: number | undefined;
    })
  | (Timed & { readonly type: 'cancelled'; readonly leaseId: number })
  /** No worker takes this start. */
  | (Timed & {
      readonly type: 'unplaced';
      readonly sandboxId: string;
      readonly error: StartError;
    })
  | (Timed & LeaseRef & { readonly type: 'answered' })
  | (Timed & LeaseRef & { readonly type: 'settled' })
  /** The worker did not take the lease: the sandbox has not seen its event. */
  | (Timed & LeaseRef & { readonly type: 'undelivered'; readonly verdict: LeaseVerdict })
  | (Timed & {
      readonly type: 'worker-joined';
      readonly workerId: string;
      readonly address: string;
    })
  | (Timed & { readonly type: 'worker-left'; readonly workerId: string })
  | (Timed & {
      readonly type: 'worker-report';
      readonly workerId: string;
      readonly sandboxes: readonly SandboxReport[];
    })
  /** The version was deleted or updated: its sandboxes take no further invokes. */
  | (Timed & { readonly type: 'drain'; readonly versionArn: string })
  /** Memory is short: that many idle sandboxes have to go. */
  | (Timed & { readonly type: 'reclaim'; readonly count: number })
  | (Timed & { readonly type: 'tick' })
  /** No more invokes. What runs may end, unless `force`. */
  | (Timed & { readonly type: 'close'; readonly force: boolean });

export type AssignmentEvent = DurableEvent | SoftEvent;

const durable: Readonly<Record<AssignmentEvent['type'], boolean>> = {
  born: true,
  ready: true,
  died: true,
  provisioned: true,
  elected: false,
  acquire: false,
  cancelled: false,
  unplaced: false,
  answered: false,
  settled: false,
  undelivered: false,
  'worker-joined': false,
  'worker-left': false,
  'worker-report': false,
  drain: false,
  reclaim: false,
  tick: false,
  close: false,
};

export function isDurable(event: AssignmentEvent): event is DurableEvent {
  return durable[event.type];
}

/** Why an invoke is refused; the words of the API's 429 where it has one. */
export type RefusalReason =
  | 'ReservedFunctionConcurrentInvocationLimitExceeded'
  | 'ConcurrentInvocationLimitExceeded'
  | 'FunctionInvocationRateLimitExceeded'
  | 'ReservedFunctionInvocationRateLimitExceeded'
  | 'starts-per-function'
  | 'starts-per-account'
  | 'starts-per-region'
  | 'starts-per-worker'
  | 'sandboxes'
  | 'waiting'
  | 'closing';

export type StopReason =
  | 'idle'
  | 'drained'
  | 'evicted'
  | 'reclaimed'
  | 'init-failed'
  | 'closing'
  /** Its worker no longer has it, or has gone. */
  | 'lost'
  /** A worker has it, but nobody else knows of it. */
  | 'orphaned';

export type AssignmentEffect =
  /** Find a worker: the answer is `born` or `unplaced`. */
  | {
      readonly type: 'place';
      readonly sandboxId: string;
      readonly version: VersionRef;
      readonly provisioned: boolean;
    }
  | {
      readonly type: 'start';
      readonly sandboxId: string;
      readonly workerId: string;
      readonly version: VersionRef;
      readonly provisioned: boolean;
    }
  | {
      readonly type: 'lend';
      readonly leaseId: number;
      readonly sandboxId: string;
      readonly workerId: string;
      readonly workerAddress: string;
      readonly coldStart: boolean;
      readonly pool: InvokePool;
    }
  /** It is out of the count at once; `died` follows when nothing is left of it. */
  | {
      readonly type: 'stop';
      readonly sandboxId: string;
      /** Absent for one that had no worker yet. */
      readonly workerId: string | undefined;
      readonly reason: StopReason;
    }
  | { readonly type: 'refuse'; readonly leaseId: number; readonly reason: RefusalReason }
  /** The start that this invoke waited for failed by our fault. */
  | { readonly type: 'fail'; readonly leaseId: number; readonly error: StartError };
