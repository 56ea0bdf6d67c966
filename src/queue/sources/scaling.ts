import { limits } from '../../base/mod.ts';

/** How hard a mapping's queue is read. */
export interface Scaling {
  /** Batches that may be under way, from their receive to their delete. */
  readonly batches: number;
  /** Up to when growth has been reckoned. */
  readonly grownMs: number;
  /** Whether the last receive that ended brought messages. */
  readonly busy: boolean;
  /** Nothing is received before. */
  readonly pausedUntilMs: number;
  /** In a row: the exponent of the pause. */
  readonly refusals: number;
}

export type ScalingEvent =
  | { readonly kind: 'received'; readonly messages: number }
  /** The function answered, with whatever result. */
  | { readonly kind: 'answered' }
  /** The function was throttled or is not there, or the queue did not answer. */
  | { readonly kind: 'refused' };

/** What is under way. */
export interface BatchesUnderWay {
  /** Receives that wait for their first message. */
  readonly receiving: number;
  /** Batches that have messages. */
  readonly running: number;
}

export function beginScaling(nowMs: number, maximum: number): Scaling {
  const batches = Math.min(limits.eventSources.batchesAtFirst, maximum);
  return { batches, grownMs: nowMs, busy: false, pausedUntilMs: nowMs, refusals: 0 };
}

/**
 * The concurrency rule of queues (contract 2.10): while messages come, so many more batches a
 * minute up to `maximum`; half as many when the function is throttled; the first few again once
 * the queue was empty.
 */
export function scalingStep(
  state: Scaling,
  event: ScalingEvent,
  nowMs: number,
  maximum: number,
): Scaling {
  const { batchesAtFirst, batchesPerMinute, emptyPauseMs, pauseMinMs, pauseMaxMs } =
    limits.eventSources;
  switch (event.kind) {
    case 'received': {
      if (event.messages === 0) {
        const batches = Math.min(state.batches, batchesAtFirst);
        // A queue that answers at once when it is empty, not after the wait, is not asked at once.
        const pausedUntilMs = Math.max(state.pausedUntilMs, nowMs + emptyPauseMs);
        return { ...state, batches, busy: false, grownMs: nowMs, pausedUntilMs };
      }
      if (!state.busy || state.refusals > 0) return { ...state, busy: true, grownMs: nowMs };
      const grown = ((nowMs - state.grownMs) * batchesPerMinute) / 60_000;
      return { ...state, batches: Math.min(maximum, state.batches + grown), grownMs: nowMs };
    }
    case 'answered':
      return state.refusals === 0 ? state : { ...state, refusals: 0, grownMs: nowMs };
    case 'refused': {
      const pauseMs = Math.min(pauseMinMs * 2 ** Math.min(state.refusals, 20), pauseMaxMs);
      return {
        ...state,
        batches: Math.max(1, state.batches / 2),
        grownMs: nowMs,
        pausedUntilMs: Math.max(state.pausedUntilMs, nowMs + pauseMs),
        refusals: state.refusals + 1,
      };
    }
  }
}

/** How many receives to open now: one alone waits at an empty queue. */
export function receivesWanted(
  state: Scaling,
  { receiving, running }: BatchesUnderWay,
  nowMs: number,
): number {
  if (nowMs < state.pausedUntilMs) return 0;
  const room = Math.floor(state.batches) - running - receiving;
  const receives = state.busy ? limits.eventSources.receivesPerMapping : 1;
  return Math.max(0, Math.min(room, receives - receiving));
}
