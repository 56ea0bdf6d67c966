/** Where chunks and manifests are stored. */
export const originLimits = {
  parallelPuts: 8,
  parallelGets: 32,
  listPage: 1000,
  /** How long one operation is tried: of the region, of an agent that a start waits for, of an install. */
  patienceMs: 10_000,
  agentPatienceMs: 25_000,
  installPatienceMs: 5 * 60_000,
  installRetryMs: 5000,
  /** What all retries of a process share. */
  retryTokens: { tokensMax: 50, perSuccess: 0.1, perRecovery: 2, perSecond: 10 },
  retryWaitMs: 50,
  retryWaitMsMost: 5000,
  /** About how often who waits for a token looks again. */
  retryPaceMs: 250,
  connectMs: 2000,
  requestMs: 20_000,
  /** A get's answer begins by then, and no part of it is awaited longer: else it is retried. */
  answerMs: 4000,
  connections: 16,
  /** Requests that wait for a connection; more are refused. */
  waiting: 4096,
  /** How long a process may go by the states of roots that it has read. */
  rootStateMs: 5000,
  /** How often a region raises its generation: an older backup of its state shows as one. */
  generationMs: 60 * 60_000,
  /**
   * How often a running region notes in an object store that it has it, and how long another watches
   * such a note before it takes one that does not change for a dead region's.
   */
  holdBeatMs: 20_000,
  holdWatchMs: 60_000,
  /** After which a temporary file was left by a writer that is gone. */
  temporaryMs: 60 * 60_000,
} as const;

/** Garbage collection of roots. */
export const gcLimits = {
  /** How long a root stays retired at least: creates that began before settle meanwhile. */
  settleMs: 60 * 60_000,
  /** How long a root stays expired at least: whoever still reads from it raises the alarm. */
  dwellMs: 7 * 24 * 60 * 60_000,
  copiesAtOnce: 8,
  deleteBatch: 256,
  /** Names that a migration remembers as copied, and ids that a report lists. */
  namesRemembered: 200_000,
  idsReported: 10,
  /** Of a region that collects by itself. */
  roundMs: 6 * 60 * 60_000,
} as const;
