/** Who may start a sandbox, and who waits for one. */
export const assignmentLimits = {
  /** What one worker starts at once; a region of several has room for more. */
  startsPerRegion: 32,
  startsPerAccount: 16,
  /** The most that an operator may set these two, and a worker's, to. */
  startsSettable: 10_000,
  /** Of one function: Lambda's scaling rule (contract 2.11). */
  startsPerFunctionBurst: 1000,
  startsPerFunctionPerSecond: 100,
  /** Forgotten functions whose rates are remembered, for the seconds until they are full again. */
  ratesKept: 10_000,
  /** The longest that an invoke waits for a sandbox: a start and an init, each at its limit. */
  waitMs: 45_000,
  /** A sandbox that has answered asks again within this (as starts take, up to most), or is busy. */
  settleMs: 100,
  settleMsMost: 1000,
  leapMs: 2000,
  takeUpMs: 5000,
} as const;
