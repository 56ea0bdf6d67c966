import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ColdCacheDrill } from '../../src/serve/mod.ts';
import { repositoryRoot } from '../repo/repository.ts';
import { runOrThrow } from '../support/run.ts';
import { temporaryDirectory } from '../support/temporary.ts';

test('the drill shows what the limit on starts spares the origin', async (t) => {
  const TMPDIR = temporaryDirectory(t, 'drill');
  const load = ['--invokes-per-second', '40', '--functions', '20', '--seconds', '3'];
  const rig = [
    '--nodes',
    '1',
    '--workers',
    '1',
    '--starts',
    '3',
    '--origin-parallel',
    '1',
    '--json',
  ];
  const sluice = join(repositoryRoot, 'bin/sluice');
  const env = { ...process.env, TMPDIR };
  const text = await runOrThrow(sluice, ['drill', 'cold-cache', ...load, ...rig], { env });
  const [limited, unlimited] = (JSON.parse(text) as { runs: ColdCacheDrill[] }).runs;
  assert.ok(limited && unlimited);
  // A start reads one chunk after the other, so that no more gets wait than starts are allowed.
  assert.ok(limited.originPeakWaiting <= 3, `${limited.originPeakWaiting} in line`);
  assert.ok(unlimited.originPeakWaiting > 3, `${unlimited.originPeakWaiting} in line`);
  assert.ok(limited.refused > 0 && limited.originGets > 0);
  assert.equal(unlimited.refused, 0);
  for (const { invokes, answered, refused } of limited.seconds) {
    assert.ok(invokes > 0 && answered + refused <= invokes);
  }
  assert.deepEqual(readdirSync(TMPDIR), [], 'the rig is gone');
});
