/** A region that answers this share of the invokes for so many seconds has recovered. */
const RECOVERED_SHARE = 0.99;
const RECOVERED_SECONDS = 5;

/** One second of a drill. */
export interface DrillSecond {
  invokes: number;
  /** Of these, answered before their client hung up. */
  answered: number;
  refused: number;
  originGets: number;
  originBytes: number;
  /** Gets that stood in line at the origin, the most at once. */
  originWaiting: number;
}

export interface ColdCacheDrill {
  readonly startLimit: number | undefined;
  readonly seconds: readonly DrillSecond[];
  /** Seconds after the caches were emptied; undefined: not while the drill lasted. */
  readonly recoverySeconds: number | undefined;
  readonly originPeakGetsPerSecond: number;
  readonly originPeakBytesPerSecond: number;
  readonly originPeakWaiting: number;
  readonly originGets: number;
  readonly refused: number;
}

/** The second in which the region had recovered; undefined when it has not. */
export function recoveryOf(seconds: readonly DrillSecond[]): number | undefined {
  const answered = seconds.map(({ invokes, answered }) => (invokes === 0 ? 1 : answered / invokes));
  const found = answered.findIndex((_, index) => {
    const next = answered.slice(index, index + RECOVERED_SECONDS);
    return next.length === RECOVERED_SECONDS && next.every((share) => share >= RECOVERED_SHARE);
  });
  return found < 0 ? undefined : found;
}

/** The figures of a whole drill. */
export function summarize(
  startLimit: number | undefined,
  seconds: readonly DrillSecond[],
): ColdCacheDrill {
  const sum = (of: (second: DrillSecond) => number) =>
    seconds.reduce((total, second) => total + of(second), 0);
  const most = (of: (second: DrillSecond) => number) => Math.max(0, ...seconds.map(of));
  return {
    startLimit,
    seconds,
    recoverySeconds: recoveryOf(seconds),
    originPeakGetsPerSecond: most(({ originGets }) => originGets),
    originPeakBytesPerSecond: most(({ originBytes }) => originBytes),
    originPeakWaiting: most(({ originWaiting }) => originWaiting),
    originGets: sum(({ originGets }) => originGets),
    refused: sum(({ refused }) => refused),
  };
}
