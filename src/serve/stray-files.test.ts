import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { openFunctions, openStores } from './stores.ts';
import { strayFiles } from './stray-files.ts';

test('only unknown files in a data directory are called stray', async (t) => {
  const { data, origin } = await openStores(join(temporaryDirectory(t), 'data'));
  const functions = openFunctions(data);
  t.after(() => functions.close());
  await origin.pinManifest('m');
  await origin.createRoot();
  assert.deepEqual(strayFiles(data), []);
  const strays = ['x', '.DS_Store', 'lost+found'].flatMap((name) =>
    [data.state, data.logs, data.origin, join(data.origin, 'roots')].map((folder) => {
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, name), '');
      return join(folder, name);
    }),
  );
  assert.deepEqual(strayFiles(data).sort(), strays.sort());
});
