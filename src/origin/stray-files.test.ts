import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { systemClock, systemRandom } from '../base/mod.ts';
import { directoryOrigin } from './open-origin.ts';
import { collect } from './origin.fixture.ts';

test('unknown files are not taken for roots or manifests and get in nobody’s way', async (t) => {
  const directory = temporaryDirectory(t);
  const open = () => directoryOrigin(directory, { clock: systemClock, random: systemRandom });
  const rootId = await open().createRoot();
  const names = ['x', '.DS_Store', 'lost+found/y', 'a b', '~'];
  const folders = ['.', 'state', `state/${rootId}`, 'roots', `roots/${rootId}`];
  const inside = [`roots/${rootId}/chunks`, `roots/${rootId}/manifests/.d`, 'pins/-', 'alarms/z'];
  for (const folder of [...folders, ...inside]) {
    for (const name of names) {
      const path = join(directory, folder, name);
      mkdirSync(join(path, '..'), { recursive: true });
      writeFileSync(path, 'stray');
    }
  }
  writeFileSync(join(directory, 'state', 'file'), '');
  const origin = open();
  assert.deepEqual(
    (await origin.listRoots()).map((root) => root.rootId),
    [rootId],
  );
  assert.equal(await origin.activeRoot(), rootId);
  assert.deepEqual(await collect(origin.listManifests(rootId)), []);
  assert.deepEqual(await collect(origin.listChunks(rootId)), []);
  assert.deepEqual(await collect(origin.pinnedManifests()), []);
  assert.deepEqual(await collect(origin.alarms()), []);
});
