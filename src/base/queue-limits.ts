import { GIB, KIB } from './units.ts';

/** The queue of asynchronous events, and what is done with them. */
export const queueLimits = {
  /** Internal queues, and the few of them that any one function may fill. */
  queues: 64,
  queuesPerFunction: 4,
  events: 1_000_000,
  /** Their payloads, of which one account and one function hold such parts. */
  bytes: 4 * GIB,
  bytesPartPerAccount: 1 / 4,
  bytesPartPerFunction: 1 / 16,
  /** Pages of the database that may stay free; beyond, it gives some back to the disk now and then. */
  freePages: 1024,
  pagesPerVacuum: 512,
  commitsPerVacuum: 16,
  /** One internal queue holds this part of them at most, so one function a quarter. */
  eventsPartPerQueue: 1 / 16,
  /** What one account's `directory:` destinations hold, files counted as blocks. */
  directoryBytesPerAccount: 1 * GIB,
  /** Failed events that are remembered. */
  failures: 10_000,
  invokesAtOnce: 256,
  /** Of the events of one internal queue: slow functions leave room for the others. */
  claimsPerQueue: 16,
  retryDelaysMs: [60_000, 120_000],
  backoffMinMs: 1000,
  backoffMaxMs: 5 * 60_000,
  maximumEventAgeMs: 6 * 60 * 60_000,
  deliveryAttempts: 5,
  deliveryTimeoutMs: 10_000,
  /** To one receiver; and what is read of its answers. */
  deliveryConnections: 16,
  deliveryAnswerBytes: 64 * KIB,
  errorMessageBytes: 1 * KIB,
  /** Of the last run's answer, kept beside an event that is to run again. */
  lastAnswerBytes: 256 * KIB,
} as const;

/** Queues that functions are mapped to. */
export const eventSourceLimits = {
  /** Of the whole region: each costs a connection that waits for messages. */
  mappings: 256,
  mappingsPerAccount: 64,
  /** Batches of one mapping under way: at first, at most, and what a minute may add (2.10). */
  batchesAtFirst: 5,
  batchesAtOnce: 1000,
  batchesPerMinute: 300,
  /** Messages of one receive, and how long it waits for the first (SQS API reference). */
  messagesPerReceive: 10,
  receiveWaitSeconds: 20,
  /** Receives open at once, over all mappings; a delete always finds a connection. */
  receivesAtOnce: 384,
  receivesPerMapping: 64,
  connections: 512,
  connectMs: 2000,
  requestMs: 10_000,
  /** After a receive that failed, or a function that refused: at first, then twice as long. */
  pauseMinMs: 1000,
  pauseMaxMs: 60_000,
  emptyPauseMs: 100,
  filters: 5,
  filterBytes: 4 * KIB,
  filterDepth: 16,
  /** Queue URLs that are remembered. */
  queueUrls: 10_000,
} as const;
