import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { limits } from '../base/mod.ts';
import {
  decideAfter,
  decideBefore,
  type EventPolicy,
  type EventResult,
  lambdaRetryTimes,
} from './decide.ts';
import { eventOf } from './event-store.conformance.ts';
import type { StoredEvent } from './types.ts';

const nowMs = 1_763_700_000_000;
const policy: EventPolicy = {
  functionArn: 'arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST',
  maximumRetryAttempts: 2,
  maximumEventAgeMs: 6 * 3600_000,
  onSuccess: 'good',
  onFailure: 'bad',
  deadLetter: 'dead',
};
const stored = (change: Partial<StoredEvent> = {}): StoredEvent => ({
  ...{ ...eventOf(1, { receivedMs: nowMs }), eventId: 1, visibleAtMs: nowMs },
  ...{ invokes: 0, refusals: 0, ...change },
});
const after = (result: EventResult, change: Partial<StoredEvent> = {}, by = policy) =>
  decideAfter(stored(change), result, by, nowMs, lambdaRetryTimes);
const failed: EventResult = {
  kind: 'function-error',
  executedVersion: '$LATEST',
  payload: Buffer.from('{}'),
};

test('errors are tried again after one minute and after two, as often as is set', () => {
  for (const maximumRetryAttempts of [0, 1, 2]) {
    const by = { ...policy, maximumRetryAttempts };
    const waits = [60_000, 120_000].slice(0, maximumRetryAttempts);
    waits.forEach((waitMs, invokes) => {
      const { kind, progress } = after(failed, { invokes, refusals: 3 }, by);
      assert.equal(kind, 'again');
      const visibleAtMs = nowMs + waitMs;
      const lastAnswer = { executedVersion: '$LATEST', payload: Buffer.from('{}') };
      const kept = { visibleAtMs, invokes: invokes + 1, refusals: 0, lastAnswer };
      assert.deepEqual(progress, kept);
    });
    const last = after(failed, { invokes: maximumRetryAttempts }, by);
    assert.equal(last.progress.ending?.condition, 'RetriesExhausted');
  }
});

test('refusals wait from one second up to five minutes, and are no attempts', () => {
  const waits = Array.from({ length: 12 }, (_, refusals) => {
    const { kind, progress } = after({ kind: 'refused' }, { refusals, invokes: 1 });
    assert.deepEqual([kind, progress.invokes, progress.refusals], ['again', 1, refusals + 1]);
    return (progress.visibleAtMs - nowMs) / 1000;
  });
  assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
});

test('an event is run until its age is over, six hours unless less is set', () => {
  const age = (ageMs: number, by = policy) =>
    decideBefore(stored({ receivedMs: nowMs - ageMs, invokes: 1 }), by, nowMs);
  assert.equal(age(6 * 3600_000), undefined);
  const over = age(6 * 3600_000 + 1)?.progress.ending;
  assert.equal(over?.condition, 'EventAgeExceeded');
  const short = { ...policy, maximumEventAgeMs: 60_000 };
  assert.equal(age(60_001, short)?.progress.ending?.condition, 'EventAgeExceeded');
});

test('only the beginning is kept of an answer too long for a record', () => {
  const { lastAnswerBytes } = limits.queue;
  const { progress } = after({ ...failed, payload: Buffer.alloc(lastAnswerBytes + 1) });
  assert.equal(progress.lastAnswer?.payload.length, lastAnswerBytes);
});

test('a delivery names who chose its target', () => {
  const by = { ...policy, configuredBy: 'arn:a', deadLetterConfiguredBy: 'arn:b' };
  const { progress } = after(failed, { invokes: 2 }, by);
  assert.deepEqual(
    progress.ending?.deliveries.map(({ configuredBy }) => configuredBy),
    ['arn:a', 'arn:b'],
  );
});

test('who is told depends on how it ended', () => {
  const ok: EventResult = { kind: 'ok', executedVersion: '1', payload: Buffer.from('1') };
  const told = (result: EventResult, by = policy) =>
    after(result, { invokes: 2 }, by).progress.ending?.deliveries.map((each) => each.target);
  assert.deepEqual(told(ok), ['good']);
  assert.deepEqual(told(failed), ['bad', 'dead'], 'each of the two, not one for the other');
  assert.deepEqual(told(failed, { ...policy, onFailure: undefined }), ['dead']);
  assert.deepEqual(told({ kind: 'switched-off' }), ['bad', 'dead']);
  assert.deepEqual(told({ kind: 'deleted' }), [], 'nobody is left to tell');
});

test('however attempts come out, an event ends', () => {
  const results = fc.array(fc.constantFrom<EventResult['kind']>('refused', 'function-error'), {
    minLength: 300,
    maxLength: 300,
  });
  fc.assert(
    fc.property(results, fc.integer({ min: 0, max: 2 }), (kinds, maximumRetryAttempts) => {
      const by = { ...policy, maximumRetryAttempts, maximumEventAgeMs: 3600_000 };
      let event = stored();
      for (const kind of kinds) {
        const atMs = event.visibleAtMs;
        const result: EventResult = kind === 'refused' ? { kind } : failed;
        const decision =
          decideBefore(event, by, atMs) ?? decideAfter(event, result, by, atMs, lambdaRetryTimes);
        event = { ...event, ...decision.progress };
        assert.ok(event.invokes <= maximumRetryAttempts + 1);
        if (decision.kind === 'over') return;
      }
      assert.fail('it never ended');
    }),
    { numRuns: propertyRuns(100) },
  );
});
