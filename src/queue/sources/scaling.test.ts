import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../../test/support/property-runs.ts';
import { limits } from '../../base/mod.ts';
import {
  beginScaling,
  receivesWanted,
  type Scaling,
  type ScalingEvent,
  scalingStep,
} from './scaling.ts';

const none = { receiving: 0, running: 0 };
const full: ScalingEvent = { kind: 'received', messages: 10 };

/** The state after events that come `everyMs`. */
function after(events: readonly ScalingEvent[], everyMs: number, maximum = 1000): Scaling {
  return events.reduce(
    (state, event, i) => scalingStep(state, event, i * everyMs, maximum),
    beginScaling(0, maximum),
  );
}

test('one receive waits at an empty queue, and five batches are read at first', () => {
  const begun = beginScaling(0, 1000);
  assert.equal(receivesWanted(begun, none, 0), 1);
  assert.equal(receivesWanted(begun, { receiving: 1, running: 0 }, 0), 0);
  const busy = scalingStep(begun, { kind: 'received', messages: 1 }, 0, 1000);
  assert.equal(receivesWanted(busy, { receiving: 0, running: 1 }, 0), 4);
  const empty = scalingStep(busy, { kind: 'received', messages: 0 }, 100, 1000);
  assert.equal(receivesWanted(empty, { receiving: 1, running: 2 }, 100), 0);
});

test('while messages come there are 300 more a minute, up to a thousand', () => {
  const minute = after(Array<ScalingEvent>(601).fill(full), 100);
  assert.equal(Math.round(minute.batches), 305);
  const hour = after(Array<ScalingEvent>(3601).fill(full), 1000);
  assert.equal(hour.batches, limits.eventSources.batchesAtOnce);
});

test('the mapping’s own maximum holds from the first batch on', () => {
  const capped = after(Array<ScalingEvent>(600).fill(full), 1000, 2);
  assert.equal(capped.batches, 2);
  assert.equal(receivesWanted(capped, { receiving: 1, running: 1 }, 1e9), 0);
});

test('a function that is throttled is asked less, and later each time', () => {
  const grown = after(Array<ScalingEvent>(61).fill(full), 1000);
  const once = scalingStep(grown, { kind: 'refused' }, 60_000, 1000);
  assert.equal(Math.round(once.batches), Math.round(grown.batches / 2));
  assert.equal(receivesWanted(once, none, 60_999), 0);
  assert.ok(receivesWanted(once, none, 61_000) > 0);
  const twice = scalingStep(once, { kind: 'refused' }, 61_000, 1000);
  assert.equal(twice.pausedUntilMs, 63_000);
  const many = Array<ScalingEvent>(40).fill({ kind: 'refused' });
  const least = many.reduce((state, event) => scalingStep(state, event, 0, 1000), twice);
  assert.equal(least.batches, 1);
  assert.ok(least.pausedUntilMs <= 63_000 + limits.eventSources.pauseMaxMs);
  const again = scalingStep(least, { kind: 'answered' }, 100_000, 1000);
  assert.equal(again.refusals, 0);
});

test('a queue that was empty is read by the first few again, after a moment', () => {
  const grown = after(Array<ScalingEvent>(61).fill(full), 1000);
  const empty = scalingStep(grown, { kind: 'received', messages: 0 }, 60_000, 1000);
  const { batchesAtFirst, emptyPauseMs } = limits.eventSources;
  assert.deepEqual([empty.batches, empty.busy], [batchesAtFirst, false]);
  assert.equal(empty.pausedUntilMs, 60_000 + emptyPauseMs);
  assert.equal(receivesWanted(empty, none, 60_000 + emptyPauseMs), 1);
  const next = scalingStep(empty, full, 90_000, 1000);
  assert.equal(next.batches, batchesAtFirst, 'the time that it was empty does not count');
  assert.equal(scalingStep(next, full, 90_200, 1000).batches, batchesAtFirst + 1);
});

test('one queue has a limited number of receives open, however many batches it may have', () => {
  const grown = after(Array<ScalingEvent>(601).fill(full), 1000);
  const { receivesPerMapping } = limits.eventSources;
  assert.equal(receivesWanted(grown, none, 601_000), receivesPerMapping);
  const more = { receiving: receivesPerMapping - 2, running: 100 };
  assert.equal(receivesWanted(grown, more, 601_000), 2);
  assert.equal(receivesWanted(grown, { receiving: 0, running: 999 }, 601_000), 1);
});

test('each refusal in a row pauses twice as long, up to a minute, until an answer comes', () => {
  let state = beginScaling(0, 1000);
  const pauses = Array.from({ length: 8 }, () => {
    const nowMs = state.pausedUntilMs;
    state = scalingStep(state, { kind: 'refused' }, nowMs, 1000);
    return (state.pausedUntilMs - nowMs) / 1000;
  });
  assert.deepEqual(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
  const throttled = scalingStep(state, full, state.pausedUntilMs, 1000);
  const still = scalingStep(throttled, full, state.pausedUntilMs + 60_000, 1000);
  assert.equal(still.batches, 1, 'nothing grows while the function refuses');
  const answeredMs = state.pausedUntilMs + 60_000;
  const answered = scalingStep(still, { kind: 'answered' }, answeredMs, 1000);
  assert.equal(scalingStep(answered, full, answeredMs + 200, 1000).batches, 2);
  const later = scalingStep(state, { kind: 'received', messages: 0 }, 0, 1000);
  assert.equal(later.pausedUntilMs, state.pausedUntilMs, 'a short pause ends no long one');
});

test('no order of events exceeds the maximum or stops for good', () => {
  const events = fc.array(
    fc.record({
      event: fc.oneof(
        fc.nat(10).map((messages): ScalingEvent => ({ kind: 'received', messages })),
        fc.constant<ScalingEvent>({ kind: 'answered' }),
        fc.constant<ScalingEvent>({ kind: 'refused' }),
      ),
      laterMs: fc.nat(120_000),
    }),
    { maxLength: 50 },
  );
  fc.assert(
    fc.property(events, fc.integer({ min: 1, max: 1000 }), (list, maximum) => {
      let nowMs = 0;
      let state = beginScaling(0, maximum);
      for (const { event, laterMs } of list) {
        nowMs += laterMs;
        state = scalingStep(state, event, nowMs, maximum);
        assert.ok(state.batches >= 1 && state.batches <= maximum);
      }
      assert.ok(receivesWanted(state, none, state.pausedUntilMs) >= 1);
    }),
    { numRuns: propertyRuns(100) },
  );
});
