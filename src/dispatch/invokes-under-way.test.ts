import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, VirtualClock } from '../base/mod.ts';
import { InvokesUnderWay } from './invokes-under-way.ts';

test('a shutdown waits as long as the slowest invoke under way may take, and no longer', async () => {
  const clock = new VirtualClock();
  const invokes = new InvokesUnderWay(clock);
  assert.equal(invokes.longestMs(), 0);
  const slow = Promise.withResolvers<string>();
  const running = invokes.run(14_000, () => slow.promise);
  void invokes.run(1000, async () => 'at once');
  await clock.advance(5000);
  assert.equal(invokes.longestMs(), 9000 + limits.assignment.waitMs);
  slow.resolve('answer');
  assert.equal(await running, 'answer');
  assert.equal(invokes.longestMs(), 0);
  await assert.rejects(invokes.run(1000, () => Promise.reject(new Error('lost'))));
  assert.equal(invokes.longestMs(), 0);
});
