// Heavy: it seals 1.7 GB and reads them three times
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostHas } from '../../test/support/host.ts';
import { GIB, MIB } from '../base/mod.ts';
import { bytesOfThreeStarts } from './working-set.fixture.ts';

test('of 1.7 GB on a small host, a third start fetches almost nothing', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  // What a host of 1 GiB of memory and 16 GiB of disk gives its tiers by default.
  const set = { diskBytes: 1700 * MIB, memoryBytes: 64 * MIB, slabBytes: 4 * GIB };
  const starts = await bytesOfThreeStarts(t, set);
  t.diagnostic(`fetched from the origin, in MiB: ${starts.map((each) => each / MIB).join(', ')}`);
  const [first = 0, second = 0, third = 0] = starts;
  assert.equal(first, set.diskBytes);
  assert.ok(second <= set.diskBytes * 0.05, `the second start read ${second}`);
  assert.ok(third <= set.diskBytes * 0.01, `the third start read ${third}`);
});
