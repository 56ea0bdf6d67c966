import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noLogger, VirtualClock, WallSteps } from '../base/mod.ts';
import type { EventPolicy, EventResult } from './decide.ts';
import { eventOf } from './event-store.conformance.ts';
import { MemoryEventQueue } from './memory-event-queue.fixture.ts';
import { Poller } from './poller.ts';
import { StepFollowingEvents } from './step-following-events.ts';

const HOUR_MS = 3600_000;
const policy: EventPolicy = {
  functionArn: 'arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST',
  maximumRetryAttempts: 2,
  maximumEventAgeMs: HOUR_MS / 2,
};
const failed: EventResult = {
  kind: 'function-error',
  executedVersion: '$LATEST',
  payload: Buffer.from('{}'),
};

/** An event that fails twice and then not, whose wall clock is set in between; when it ran, by the other. */
async function attemptsAround(stepMs: number): Promise<number[]> {
  const clock = new VirtualClock(1_763_700_000_000, 0);
  const store = new StepFollowingEvents(new MemoryEventQueue(), clock);
  const attemptsMs: number[] = [];
  const answers = [failed, failed];
  const invoke = async (): Promise<EventResult> => {
    attemptsMs.push(clock.monotonicMs());
    const answer = answers.shift();
    return answer ?? { kind: 'ok', executedVersion: '$LATEST', payload: Buffer.from('1') };
  };
  const poller = new Poller({
    ...{ store, clock, logger: noLogger, destinations: { deliver: async () => {} } },
    functions: { resolve: async () => ({ policy, invoke }) },
  });
  await store.enqueue(eventOf(1, { receivedMs: clock.nowMs() }));
  poller.wake();
  await clock.advance(30_000);
  clock.stepWall(stepMs);
  await store.enqueue(eventOf(2, { receivedMs: clock.nowMs() }));
  poller.wake();
  await clock.advance(10 * 60_000);
  assert.equal((await store.stats()).events, 0, 'both events were run to their end');
  assert.deepEqual(await store.failures('000000000000', 10), []);
  await poller.close();
  return attemptsMs;
}

describe('a wall clock that is set while events wait', () => {
  for (const [name, stepMs] of [
    ['back by an hour', -HOUR_MS],
    ['ahead by an hour', HOUR_MS],
  ] as const) {
    test(`${name}, changes neither when they run nor whether`, async () => {
      const stepped = await attemptsAround(stepMs);
      assert.deepEqual(stepped, await attemptsAround(0));
      assert.equal(stepped.length, 4);
    });
  }

  test('is seen once, and a slow drift never', async () => {
    const clock = new VirtualClock(1_763_700_000_000, 0);
    const steps = new WallSteps(clock);
    clock.stepWall(500);
    assert.equal(steps.take(), 0);
    clock.stepWall(-HOUR_MS);
    assert.deepEqual([steps.take(), steps.take()], [500 - HOUR_MS, 0]);
  });
});
