/** One asynchronous invoke, as the frontend took it. */
export interface AsyncEvent {
  readonly accountId: string;
  readonly functionName: string;
  /** As the caller gave it; resolved again at each attempt. */
  readonly qualifier?: string | undefined;
  readonly requestId: string;
  readonly traceId: string;
  /** Of a function that keeps tenants apart. */
  readonly tenantId?: string | undefined;
  readonly payload: Buffer;
  readonly receivedMs: number;
}

/** What a run of the function answered, well or with an error. */
export interface FunctionAnswer {
  readonly executedVersion: string;
  readonly payload: Buffer;
}

/** What has become of an event so far. */
export interface EventProgress {
  /** Not before this time, milliseconds since the epoch. */
  readonly visibleAtMs: number;
  /** Invokes that the function answered, with an error if there will be another. */
  readonly invokes: number;
  /** Refused in a row: the exponent of the backoff. */
  readonly refusals: number;
  /** Of the last run, if there will be another: for the record, should the event grow too old. */
  readonly lastAnswer?: FunctionAnswer | undefined;
  /** Set once the event is over and only its deliveries are left. */
  readonly ending?: EventEnding | undefined;
}

export type EndingCondition =
  | 'Success'
  | 'RetriesExhausted'
  | 'EventAgeExceeded'
  | 'ZeroReservedConcurrency'
  /** The function is gone; nobody is left to tell. */
  | 'FunctionDeleted';

export interface EventEnding {
  readonly condition: EndingCondition;
  readonly deliveries: readonly Delivery[];
  /** How often delivering was tried. */
  readonly attempts: number;
}

/** One message to hand over when an event is over. */
export interface Delivery {
  readonly kind: 'destination' | 'dead-letter';
  /** As configured: an ARN, a URL, a directory. */
  readonly target: string;
  /** Who chose the target, by ARN; older records lack it. */
  readonly configuredBy?: string | undefined;
  readonly body: string;
  /** Message attributes, where the target knows them. */
  readonly attributes: Readonly<Record<string, string>>;
}

export interface StoredEvent extends AsyncEvent, EventProgress {
  readonly eventId: number;
}

/** The record of an event that was not run to success. */
export interface FailedEvent {
  readonly requestId: string;
  readonly accountId: string;
  readonly functionName: string;
  readonly condition: EndingCondition;
  readonly invokes: number;
  readonly failedMs: number;
}

/** How much a store holds; `limits.queue` says where nothing is given. */
export interface EventCapacity {
  readonly events?: number;
  /** Of their payloads, and of the last answers of those that are to run again. */
  readonly bytes?: number;
  /** Records of failed events in all; beyond, the oldest of the account that has most go. */
  readonly failures?: number;
}

export interface QueueStats {
  readonly events: number;
  readonly claimed: number;
  /** When the longest waiting event was received. */
  readonly oldestReceivedMs: number | undefined;
}

/**
 * Holds events until they are over. What a call resolved has survived a crash of the host, except
 * for claims: those end with the process, so an event may run more than once, never not at all.
 */
export interface EventStore {
  /** Rejects with `OVERLOADED` when it holds all the events that it may. */
  enqueue(event: AsyncEvent): Promise<void>;
  /**
   * Due events that nobody has claimed, at most `limit`: one of each internal queue in turn, so
   * that a function with many events, which fill few queues, keeps nobody waiting behind them.
   * A queue has `limits.queue.claimsPerQueue` of its events claimed at most, so that a function
   * whose invokes are slow doesn't either.
   */
  claim(nowMs: number, limit: number): Promise<StoredEvent[]>;
  /** Records how a claimed event fares; `release` gives the claim up. */
  save(eventId: number, progress: EventProgress, release: boolean): Promise<void>;
  /** The event is over and reported; `failure` is remembered, an account's most recent at most. */
  remove(eventId: number, failure?: FailedEvent): Promise<void>;
  /** When the next event falls due that could be claimed then. */
  nextDueMs(): Promise<number | undefined>;
  /** The latest failures, newest first. */
  failures(accountId: string, limit: number): Promise<FailedEvent[]>;
  stats(): Promise<QueueStats>;
  /** Moves when events were received and fall due: the wall clock was set by so much. */
  shift(byMs: number): Promise<void>;
  close(): Promise<void>;
}
