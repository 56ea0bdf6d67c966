import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostHas } from '../../test/support/host.ts';
import { MIB } from '../base/mod.ts';
import { bytesOfThreeStarts } from './working-set.fixture.ts';

test('after a start that reads more than memory holds, the next has nothing to fetch', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const set = { diskBytes: 96 * MIB, memoryBytes: 16 * MIB, slabBytes: 512 * MIB };
  const [first = 0, second = 0, third = 0] = await bytesOfThreeStarts(t, set);
  assert.equal(first, set.diskBytes);
  assert.ok(second <= set.diskBytes * 0.02, `the second start read ${second}`);
  assert.ok(third <= set.diskBytes * 0.02, `the third start read ${third}`);
});
