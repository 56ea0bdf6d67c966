import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostHas } from '../support/host.ts';
import { startRegion } from '../support/region.ts';
import { runOrThrow } from '../support/run.ts';
import { temporaryDirectory } from '../support/temporary.ts';

// Runs alone: the bridge that is new on the host has to be its region's.
const bridges = async () => {
  const listed = await runOrThrow('ip', ['-o', 'link', 'show', 'type', 'bridge']);
  return [...listed.matchAll(/: (slu[0-9a-f]{8}): /g)].map((match) => match[1] ?? '');
};

test('a region has a network if it was told to, and the next clears what a killed one left', async (t) => {
  if (!hostHas(t, 'root', 'fuse', 'loop', 'cgroup', 'tool:ip', 'tool:nft')) return;
  const data = join(temporaryDirectory(t, 'network'), 'data');
  const before = new Set(await bridges());
  const own = async () => (await bridges()).filter((name) => !before.has(name));
  const killed = await startRegion(t, data, ['--network', 'outbound']);
  const [name = ''] = await own();
  assert.notEqual(name, '');
  await killed.kill();
  const next = await startRegion(t, data);
  assert.ok(!(await bridges()).includes(name));
  assert.equal(await next.stop(), 0);
});
