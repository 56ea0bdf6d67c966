import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock, WorkBudget } from './mod.ts';

const budgetOf = (clock: VirtualClock) =>
  new WorkBudget({ clock, units: 100, unitsPerSecond: 1000 });

test('a pause gives no more than the bucket holds, and a debt must be waited out', async () => {
  const clock = new VirtualClock();
  const budget = budgetOf(clock);
  await clock.advance(60_000);
  budget.spend(99);
  assert.equal(budget.isSpent, false);
  budget.spend(51);
  assert.equal(budget.isSpent, true);
  await clock.advance(50);
  assert.equal(budget.isSpent, true);
  await clock.advance(1);
  assert.equal(budget.isSpent, false);
});

test('waiters continue in turn, each only once something is left again', async () => {
  const clock = new VirtualClock();
  const budget = budgetOf(clock);
  budget.spend(150);
  const went: number[] = [];
  for (const each of [1, 2, 3]) {
    budget.whenLeft(() => {
      went.push(each);
      budget.spend(100);
    });
  }
  assert.deepEqual(went, []);
  await clock.advance(60);
  assert.deepEqual(went, [1]);
  await clock.advance(110);
  assert.deepEqual(went, [1, 2]);
  budget.close();
  assert.deepEqual(went, [1, 2, 3]);
});
