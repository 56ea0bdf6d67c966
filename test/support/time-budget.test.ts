import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { timeBudget } from './time-budget.ts';

test('a property whose time is used up ends, and no run continues afterwards', async () => {
  let [begun, ended] = [0, 0];
  const property = fc.asyncProperty(fc.nat(), async () => {
    begun++;
    await sleep(20);
    ended++;
  });
  await fc.assert(property, { numRuns: 1_000_000, plugins: [timeBudget(50)] });
  assert.ok(begun >= 1 && begun < 10);
  assert.equal(ended, begun);
});

test('a property has its least number of runs, however late it is', async () => {
  let runs = 0;
  const property = fc.asyncProperty(fc.nat(), async () => {
    runs++;
    await sleep(2);
  });
  await fc.assert(property, { numRuns: 1_000_000, plugins: [timeBudget(0, 30)] });
  assert.equal(runs, 30);
});

test('a failure within the time is reported', async () => {
  const property = fc.asyncProperty(fc.nat(), async (value) => value < 5);
  await assert.rejects(async () => {
    await fc.assert(property, { plugins: [timeBudget(60_000)] });
  }, /Property failed/);
});
