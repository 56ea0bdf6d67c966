import { emptyList, type LinkedList, type LinkedNode } from './linked-list.ts';
import type { Rates, RatesKept } from './rates.ts';
import type { InvokePool, VersionRef } from './types.ts';

/** What bounds the state machine; times in milliseconds. */
export interface AssignmentLimits {
  readonly startsPerRegion: number;
  readonly startsPerAccount: number;
  readonly sandboxes: number;
  readonly waitingPerVersion: number;
  /** How long an invoke may wait for a sandbox. */
  readonly waitMs: number;
  /** How long a sandbox that has answered counts as about to be free. */
  readonly settleMs: number;
  /** The same at most, where starts take longer. */
  readonly settleMsMost: number;
  /** How long a sandbox may idle. */
  readonly idleMs: number;
  /** Starts that a function may make at once after a pause, and how fast they come back. */
  readonly startsPerFunctionBurst: number;
  readonly startsPerFunctionPerSecond: number;
  /** Functions that are forgotten but for what they used up of their rates. */
  readonly ratesKept: number;
  /** How far a clock may be off what was due before that is taken for a fault of the clock. */
  readonly leapMs: number;
  /** A lease that its worker has not seen after this long is taken back. */
  readonly takeUpMs: number;
}

/**
 * `placing` has no worker yet; `unheard` is up, and nobody here knows whether it is at work: its
 * worker's next report says so.
 */
export type SandboxPhase = 'placing' | 'starting' | 'unheard' | 'busy' | 'settling' | 'idle';

export interface SandboxRecord {
  readonly sandboxId: string;
  readonly version: VersionState;
  worker: WorkerRecord | undefined;
  phase: SandboxPhase;
  /** The invoke that it is lent to, while busy. */
  lease: LeaseRecord | undefined;
  /** The lease that it has or had last; 0 before the first. */
  leaseId: number;
  leaseTerm: number;
  sinceMs: number;
  /** Is stopped as soon as its invoke is over: its version was drained. */
  doomed: boolean;
  /** Kept ready whether or not it is used. */
  provisioned: boolean;
  /** Reports of its worker in a row that do not have it. */
  misses: number;
  /** Its place among the idle of its version or among those that settle; and among all idle. */
  node: LinkedNode<SandboxRecord> | undefined;
  allIdleNode: LinkedNode<SandboxRecord> | undefined;
}

/** An admitted invoke: it waits for a sandbox or has one. */
export interface LeaseRecord {
  readonly leaseId: number;
  readonly term: number;
  readonly version: VersionState;
  readonly pool: InvokePool;
  readonly sinceMs: number;
  /** Whoever waits has gone by then. */
  readonly untilMs: number | undefined;
  /** Made for those that have to wait. */
  node: LinkedNode<LeaseRecord> | undefined;
  allNode: LinkedNode<LeaseRecord> | undefined;
}

export interface WorkerRecord {
  readonly workerId: string;
  address: string;
  readonly sandboxes: Set<SandboxRecord>;
}

/** By the function's fault, in its init; or by ours, before that. */
export type ProvisionFailure = 'init' | 'start';

export interface VersionState {
  readonly ref: VersionRef;
  readonly function: FunctionCounts;
  readonly account: AccountCounts;
  /** Least recently used first. */
  readonly idle: LinkedList<SandboxRecord>;
  readonly idleProvisioned: LinkedList<SandboxRecord>;
  /** First come, first served. */
  readonly waiting: LinkedList<LeaseRecord>;
  readonly sandboxes: Set<SandboxRecord>;
  /** Admitted and not yet answered, waiting ones included. */
  inFlight: number;
  /** Sandboxes on their way up for who waits: none of the provisioned. */
  starting: number;
  /** Provisioned sandboxes: wished for, made (starting ones included), and up. */
  provisionedTarget: number;
  provisionedMade: number;
  provisionedUp: number;
  provisionedInFlight: number;
  /** How a provisioned sandbox failed; no more are made until the next `provisioned`. */
  provisionFailure: ProvisionFailure | undefined;
  /** Answered, and expected back within `settleMs`. */
  settlingSoon: number;
}

export interface FunctionCounts extends Rates {
  readonly functionArn: string;
  /** Admitted and not yet answered, and those of them that count as provisioned. */
  inFlight: number;
  provisionedInFlight: number;
  /** Sandboxes that are not idle; provisioned ones only once they are up. */
  occupied: number;
  /** The most that may be occupied, as of the last invoke. */
  limit: number;
  /** Of all its versions together. */
  provisioned: number;
  versions: number;
}

export interface AccountCounts {
  readonly accountId: string;
  inFlight: number;
  /** In flight of functions without a reservation, on sandboxes that are not provisioned. */
  unreservedInFlight: number;
  starting: number;
  functions: number;
}

/**
 * What a partition knows. `step` owns it and changes it in place, so that an invoke costs the same
 * with one sandbox or ten thousand; nobody else writes to it. `encodeState` makes it a value.
 */
export interface AssignmentState {
  /** Configuration, not knowledge: a snapshot does not have them. */
  readonly limits: AssignmentLimits;
  /** The region's time: never goes back. */
  nowMs: number;
  /** What to add to the time of an event: where clocks disagree, time goes on as it was. */
  clockShiftMs: number;
  /** Without it nothing is decided: a follower only keeps count. */
  leading: boolean;
  term: number;
  idPrefix: string;
  sandboxesEver: number;
  closing: boolean;
  inFlight: number;
  starting: number;
  /**
   * How long a sandbox that has answered counts as about to be free just now: about as long as a
   * start takes lately, for a start is what happens otherwise. On a machine that is short of CPU
   * both take longer, and starts that are not needed would make it shorter still.
   */
  settleMs: number;
  readonly workers: Map<string, WorkerRecord>;
  readonly versions: Map<string, VersionState>;
  readonly versionsByArn: Map<string, Set<VersionState>>;
  readonly functions: Map<string, FunctionCounts>;
  readonly accounts: Map<string, AccountCounts>;
  /** By function ARN, the first to be full again first. */
  readonly ratesKept: Map<string, RatesKept>;
  readonly sandboxes: Map<string, SandboxRecord>;
  /** By lease id. */
  readonly waiting: Map<number, LeaseRecord>;
  /** Each is in the order in which its members fall due, since each has one constant delay. */
  readonly allIdle: LinkedList<SandboxRecord>;
  readonly allWaiting: LinkedList<LeaseRecord>;
  readonly allSettling: LinkedList<SandboxRecord>;
  /** Versions that want a start and met a limit, longest wait first. */
  readonly hungry: Set<VersionState>;
  /** When a version that used up its function's starts is to be tried again. */
  retryStartsAtMs: number | undefined;
}

/** A follower that has heard nothing yet. */
export function createState(limits: AssignmentLimits): AssignmentState {
  return {
    limits,
    nowMs: 0,
    clockShiftMs: 0,
    leading: false,
    term: 0,
    idPrefix: '',
    sandboxesEver: 0,
    closing: false,
    inFlight: 0,
    starting: 0,
    settleMs: limits.settleMs,
    workers: new Map(),
    versions: new Map(),
    versionsByArn: new Map(),
    functions: new Map(),
    accounts: new Map(),
    ratesKept: new Map(),
    sandboxes: new Map(),
    waiting: new Map(),
    allIdle: emptyList(),
    allWaiting: emptyList(),
    allSettling: emptyList(),
    hungry: new Set(),
    retryStartsAtMs: undefined,
  };
}
