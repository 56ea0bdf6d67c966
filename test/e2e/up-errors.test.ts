import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../repo/repository.ts';
import { hostHas } from '../support/host.ts';
import { cgroupsOfRegion, noteRegion } from '../support/leftovers.ts';
import { startRegion } from '../support/region.ts';
import { run } from '../support/run.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const sluice = join(repositoryRoot, 'bin/sluice');

/** The cgroups of a region's helpers in one hierarchy, each with its processes. */
function helpersOf(data: string): string[] {
  const [parent] = cgroupsOfRegion(data).filter((path) => path.endsWith('-helpers'));
  if (parent === undefined) return [];
  const folders = readdirSync(parent, { withFileTypes: true }).filter((each) => each.isDirectory());
  return folders.flatMap(({ name }) => {
    const processes = readFileSync(join(parent, name, 'cgroup.procs'), 'utf8').trim();
    return processes === '' ? [] : `${name} ${processes}`;
  });
}

test('a second region on the same data directory is refused and the first goes on', async (t) => {
  if (!hostHas(t, 'root', 'fuse', 'loop', 'cgroup')) return;
  const data = temporaryDirectory(t, 'second');
  const region = await startRegion(t, data);
  await until(
    'its key process and a spare agent are in their cgroups',
    () => helpersOf(data).length > 1,
  );
  const helpers = helpersOf(data);
  const second = await run(sluice, ['up', '--data', data, '--listen', '127.0.0.1:0']);
  assert.equal(second.status, 1);
  assert.match(second.stderr, /another sluice region is running on this data directory/);
  assert.ok(second.stderr.includes(data));
  assert.equal((await fetch(`${region.endpoint}/healthz`)).status, 200);
  const left = helpersOf(data);
  const lost = helpers.filter((each) => !left.includes(each));
  assert.deepEqual(lost, [], 'the first one’s helpers are not taken for what a killed one left');
});

test('a port in use is an error that names the address', async (t) => {
  if (!hostHas(t, 'root', 'fuse', 'loop', 'cgroup')) return;
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const data = temporaryDirectory(t, 'port');
  noteRegion(data);
  const refused = await run(sluice, ['up', '--data', data, '--listen', `127.0.0.1:${port}`]);
  assert.equal(refused.status, 1);
  assert.match(
    refused.stderr,
    new RegExp(`127\\.0\\.0\\.1:${port}.*another process listens there`),
  );
});

test('a damaged or lost database ends up with one line that names it', async (t) => {
  if (!hostHas(t, 'root', 'fuse', 'loop', 'cgroup')) return;
  const data = temporaryDirectory(t, 'damaged');
  const region = await startRegion(t, data);
  await region.stop();
  const path = join(data, 'state', 'mappings.sqlite');
  const whole = readFileSync(path);
  for (const damage of [
    () => writeFileSync(path, Buffer.alloc(whole.length, 7)),
    () => rmSync(path),
  ]) {
    damage();
    const { status, stderr } = await run(sluice, ['up', '--data', data, '--listen', '127.0.0.1:0']);
    assert.equal(status, 1);
    assert.equal(stderr.trim().split('\n').length, 1, stderr);
    assert.ok(stderr.includes(path), stderr);
  }
});

test('wrong usage is exit status 2 with a hint', async () => {
  for (const words of [['nonsense'], ['up', '--listen', 'nowhere'], ['up', '--no-such-flag']]) {
    const { status, stderr } = await run(sluice, words);
    assert.equal(status, 2, words.join(' '));
    assert.match(stderr, /--help/);
  }
});
