import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BodyOwner, ByteBudget } from './body.ts';

const owner = (accountId: string, proven: boolean, peer = '10.0.0.1'): BodyOwner => ({
  ...{ accountId, proven, peer },
});

/** Bodies of one byte until no more is taken. */
function fill(budget: ByteBudget, of: BodyOwner): number {
  for (let taken = 0; ; taken++) {
    try {
      budget.take(budget.sharesOf(of), 1);
    } catch (error) {
      assert.equal((error as { code: string }).code, 'OVERLOADED');
      return taken;
    }
  }
}

test('bodies that are held back leave room for every other caller', () => {
  const budget = new ByteBudget(1000);
  assert.equal(fill(budget, owner('hostile', true)), 250);
  assert.equal(fill(budget, owner('hostile', false)), 250, 'one peer under one name');
  assert.equal(fill(budget, owner('hostile', false, '10.0.0.2')), 250, 'half without proof');
  assert.equal(fill(budget, owner('victim', false, '10.0.0.3')), 0);
  assert.equal(fill(budget, owner('victim', true)), 250, 'who signs the hash has a share');
});

test('bytes given back can be taken again', () => {
  const budget = new ByteBudget(1000);
  for (let i = 0; i < 10; i++) {
    for (const proven of [true, false]) {
      const shares = budget.sharesOf(owner('a', proven));
      budget.take(shares, 250);
      budget.give(shares, 250);
    }
  }
  assert.equal(fill(budget, owner('a', true)), 250);
});
