import type { AssignmentState, FunctionCounts } from './state.ts';
import { fullBucket, type TokenBucket } from './token-bucket.ts';

/** What a function has used up of its rates. */
export interface Rates {
  readonly requests: TokenBucket;
  readonly starts: TokenBucket;
}

/** Of a function that nothing refers to any more; kept until its buckets are full again. */
export interface RatesKept extends Rates {
  readonly untilMs: number;
}

/** The rates that a function goes on with: those kept of it, or fresh ones. */
export function takeRates(state: AssignmentState, functionArn: string): Rates {
  dropFull(state);
  const kept = state.ratesKept.get(functionArn);
  state.ratesKept.delete(functionArn);
  const { requests, starts } = kept ?? {
    requests: fullBucket(state.nowMs),
    starts: fullBucket(state.nowMs),
  };
  return { requests, starts };
}

/**
 * Keeps the rates of a function that is forgotten: one whose starts all fail would be forgotten
 * each time, and be held to no rate.
 */
export function keepRates(state: AssignmentState, owner: FunctionCounts): void {
  dropFull(state);
  const { functionArn, requests, starts } = owner;
  const refillMs = slowestRefillMs(state);
  if (Math.max(requests.atMs, starts.atMs) + refillMs <= state.nowMs) return;
  if (state.ratesKept.size >= state.limits.ratesKept) dropOldest(state);
  state.ratesKept.set(functionArn, { requests, starts, untilMs: state.nowMs + refillMs });
}

/** An empty bucket is full again after this: the one of requests after a second (contract 2.5). */
function slowestRefillMs({ limits }: AssignmentState): number {
  return Math.max(1, limits.startsPerFunctionBurst / limits.startsPerFunctionPerSecond) * 1000;
}

/** They are in the order in which they fall due. */
function dropFull(state: AssignmentState): void {
  for (const [functionArn, { untilMs }] of state.ratesKept) {
    if (untilMs > state.nowMs) return;
    state.ratesKept.delete(functionArn);
  }
}

function dropOldest({ ratesKept }: AssignmentState): void {
  const [oldest] = ratesKept.keys();
  if (oldest !== undefined) ratesKept.delete(oldest);
}

export type RatesSnapshot = readonly (RatesKept & { readonly functionArn: string })[];

export function encodeRates({ ratesKept }: AssignmentState): RatesSnapshot {
  return [...ratesKept].map(([functionArn, kept]) => ({ functionArn, ...copyOf(kept) }));
}

export function decodeRates(state: AssignmentState, snapshot: RatesSnapshot): void {
  for (const { functionArn, ...kept } of snapshot) state.ratesKept.set(functionArn, copyOf(kept));
}

function copyOf({ requests, starts, untilMs }: RatesKept): RatesKept {
  return { requests: { ...requests }, starts: { ...starts }, untilMs };
}
