import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { initialRuntimeState, type RuntimeEvent, step } from './state.ts';

const ids = fc.constantFrom('a', 'b', 'c');
const event: fc.Arbitrary<RuntimeEvent> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ type: 'next' } as const) },
  { weight: 3, arbitrary: ids.map((requestId) => ({ type: 'invoke', requestId }) as const) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('post' as const),
      target: fc.constantFrom('response' as const, 'error' as const),
      requestId: ids,
    }),
  },
  { weight: 3, arbitrary: fc.constant({ type: 'post-ended' } as const) },
  fc.constant({ type: 'next-gone' } as const),
  fc.constant({ type: 'init-error' } as const),
);

test('whatever the runtime does, each event is delivered once and answered at most once', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60, size: 'max' }), (events) => {
      let state = initialRuntimeState;
      let given: string | undefined;
      let delivered = false;
      let open = false;
      let inits = 0;
      for (const each of events) {
        // The platform, unlike the runtime, keeps to its part: one event at a time.
        if (each.type === 'invoke' && given !== undefined) continue;
        if (each.type === 'next-gone' && !open) continue;
        if (each.type === 'post-ended' && state.phase !== 'responding') continue;
        if (each.type === 'invoke') given = each.requestId;
        const { state: after, effects } = step(state, each);
        state = after;
        if (each.type === 'next-gone') open = false;
        for (const effect of effects) {
          if (effect.type === 'park') {
            assert.ok(!open, 'one next is open at a time');
            open = true;
          }
          if (effect.type === 'deliver') {
            assert.ok(given !== undefined && !delivered, 'one event, delivered once');
            delivered = true;
            open = false;
          }
          if (effect.type === 'accept') {
            assert.ok(delivered, 'a post is for an event that was delivered');
            assert.ok(each.type === 'post' && each.requestId === given);
          }
          if (effect.type === 'ready' || effect.type === 'init-failed') inits++;
        }
        if (each.type === 'post-ended') {
          given = undefined;
          delivered = false;
        }
        assert.ok(inits <= 1, 'init ends once');
        assert.ok(!(state.parked && state.queued), 'an event never waits for an open next');
        assert.equal(state.parked, open);
      }
    }),
    { numRuns: propertyRuns(20_000) },
  );
});
