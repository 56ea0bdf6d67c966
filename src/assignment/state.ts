import { LinkedList, type LinkedNode } from './linked-list.ts';
import type { TokenBucket } from './token-bucket.ts';
import type { ConcurrencyAllowance, SandboxTemplate } from './types.ts';

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

/** One revision of one function version. */
export interface VersionKey {
  readonly key: string;
  readonly versionArn: string;
  readonly functionArn: string;
  readonly accountId: string;
  /** Handed on to the worker, never looked into. */
  readonly template: SandboxTemplate;
}

/** What an admitted invoke counts against, besides its function and its account. */
export type InvokePool = 'provisioned' | 'reserved' | 'unreserved';

export type AssignmentEvent =
  | {
      readonly type: 'invoke';
      readonly invokeId: number;
      readonly version: VersionKey;
      readonly limits: ConcurrencyAllowance;
    }
  | { readonly type: 'cancelled'; readonly invokeId: number }
  /** A sandbox is up: ready, or with its init failed by the function's fault. */
  | { readonly type: 'started'; readonly sandboxId: string; readonly initFailed: boolean }
  /** A start failed by our fault, or `limited`: no worker had room for one more at once. */
  | { readonly type: 'start-failed'; readonly sandboxId: string; readonly limited: boolean }
  | { readonly type: 'answered'; readonly invokeId: number; readonly sandboxId: string }
  | { readonly type: 'settled'; readonly sandboxId: string }
  | { readonly type: 'ended'; readonly sandboxId: string }
  /** The version was deleted or updated: its sandboxes take no further invokes. */
  | { readonly type: 'drain'; readonly versionArn: string }
  /** So many sandboxes of the version shall stand ready from now on. */
  | { readonly type: 'provision'; readonly version: VersionKey; readonly count: number }
  /** The host is short of memory: that many idle sandboxes have to go. */
  | { readonly type: 'reclaim'; readonly count: number }
  | { readonly type: 'tick' }
  /** No more invokes. What runs may end, unless `force`. */
  | { readonly type: 'close'; readonly force: boolean };

export type AssignmentEffect =
  | {
      readonly type: 'start';
      readonly sandboxId: string;
      readonly version: VersionKey;
      readonly provisioned: boolean;
    }
  | { readonly type: 'lend'; readonly sandboxId: string; readonly invokeId: number }
  | { readonly type: 'stop'; readonly sandboxId: string; readonly reason: StopReason }
  | { readonly type: 'refuse'; readonly invokeId: number; readonly reason: RefusalReason }
  /** The start that this invoke waited for failed by our fault. */
  | { readonly type: 'fail'; readonly invokeId: number; readonly sandboxId: string };

export type StopReason = 'idle' | 'drained' | 'evicted' | 'reclaimed' | 'init-failed' | 'closing';

export interface SandboxRecord {
  readonly sandboxId: string;
  readonly version: VersionRecord;
  phase: 'starting' | 'busy' | 'settling' | 'idle';
  /** The invoke that it is lent to, while busy. */
  invokeId: number | undefined;
  sinceMs: number;
  /** Takes no further invoke of its own accord: its version was drained. */
  doomed: boolean;
  /** Kept ready whether or not it is used. */
  provisioned: boolean;
  /** Its place among the idle of its version and, unless provisioned, of all. */
  idleNode: LinkedNode<SandboxRecord> | undefined;
  allIdleNode: LinkedNode<SandboxRecord> | undefined;
  settlingNode: LinkedNode<SandboxRecord> | undefined;
}

export interface InvokeRecord {
  readonly invokeId: number;
  readonly version: VersionRecord;
  readonly pool: InvokePool;
  readonly sinceMs: number;
  waitingNode: LinkedNode<InvokeRecord> | undefined;
  allWaitingNode: LinkedNode<InvokeRecord> | undefined;
}

export interface VersionRecord {
  readonly key: VersionKey;
  readonly function: FunctionRecord;
  readonly account: AccountRecord;
  /** Least recently used first. */
  readonly idle: LinkedList<SandboxRecord>;
  readonly idleProvisioned: LinkedList<SandboxRecord>;
  /** First come, first served. */
  readonly waiting: LinkedList<InvokeRecord>;
  readonly sandboxes: Set<SandboxRecord>;
  /** Admitted and not yet answered, waiting ones included. */
  inFlight: number;
  starting: number;
  /** Provisioned sandboxes: wished for, made (starting ones included), and up. */
  provisionedTarget: number;
  provisionedMade: number;
  provisionedUp: number;
  provisionedInFlight: number;
  /** A provisioned sandbox's init failed; no more are made until the next `provision`. */
  provisionFailed: boolean;
  /** Answered, and expected back within `settleMs`. */
  settlingSoon: number;
}

export interface FunctionRecord {
  readonly functionArn: string;
  /** Admitted and not yet answered. */
  inFlight: number;
  /** Sandboxes that are not idle. */
  occupied: number;
  /** The most that may be occupied, as of the last invoke. */
  limit: number;
  /** Of all its versions together. */
  provisioned: number;
  readonly requests: TokenBucket;
  readonly starts: TokenBucket;
  versions: number;
}

export interface AccountRecord {
  readonly accountId: string;
  inFlight: number;
  /** In flight of functions without a reservation, on sandboxes that are not provisioned. */
  unreservedInFlight: number;
  starting: number;
  functions: number;
}

/**
 * What the leader of a partition knows. `step` owns it and changes it in place, so that an invoke
 * costs the same with one sandbox or ten thousand; nobody else writes to it.
 */
export interface AssignmentState {
  readonly limits: AssignmentLimits;
  readonly sandboxIdPrefix: string;
  sandboxesEver: number;
  closing: boolean;
  starting: number;
  /**
   * How long a sandbox that has answered counts as about to be free just now: about as long as a
   * start takes lately, for a start is what happens otherwise. On a machine that is short of CPU
   * both take longer, and starts that are not needed would make it shorter still.
   */
  settleMs: number;
  readonly versions: Map<string, VersionRecord>;
  readonly versionsByArn: Map<string, Set<VersionRecord>>;
  readonly functions: Map<string, FunctionRecord>;
  readonly accounts: Map<string, AccountRecord>;
  readonly sandboxes: Map<string, SandboxRecord>;
  readonly invokes: Map<number, InvokeRecord>;
  /** Each is in the order in which its members fall due, since each has one constant delay. */
  readonly allIdle: LinkedList<SandboxRecord>;
  readonly allWaiting: LinkedList<InvokeRecord>;
  readonly allSettling: LinkedList<SandboxRecord>;
  /** Versions that want a start and met a limit, longest wait first. */
  readonly hungry: Set<VersionRecord>;
  /** When a version that used up its function's starts is to be tried again. */
  retryStartsAtMs: number;
}

export function createState(limits: AssignmentLimits, sandboxIdPrefix: string): AssignmentState {
  return {
    limits,
    sandboxIdPrefix,
    sandboxesEver: 0,
    closing: false,
    starting: 0,
    settleMs: limits.settleMs,
    versions: new Map(),
    versionsByArn: new Map(),
    functions: new Map(),
    accounts: new Map(),
    sandboxes: new Map(),
    invokes: new Map(),
    allIdle: new LinkedList(),
    allWaiting: new LinkedList(),
    allSettling: new LinkedList(),
    hungry: new Set(),
    retryStartsAtMs: Number.POSITIVE_INFINITY,
  };
}

/** When the next `tick` is due, or `undefined` if nothing waits for time to pass. */
export function nextTickMs(state: AssignmentState): number | undefined {
  const { limits } = state;
  const dues = [
    dueMs(state.allIdle.first?.sinceMs, limits.idleMs),
    dueMs(state.allWaiting.first?.sinceMs, limits.waitMs),
    dueMs(state.allSettling.first?.sinceMs, state.settleMs),
    state.retryStartsAtMs,
  ];
  const first = Math.min(...dues);
  return first === Number.POSITIVE_INFINITY ? undefined : first;
}

function dueMs(sinceMs: number | undefined, delayMs: number): number {
  return sinceMs === undefined ? Number.POSITIVE_INFINITY : sinceMs + delayMs;
}
