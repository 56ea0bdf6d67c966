import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import { replaceableFile } from './replaceable-file.ts';

test('a list is shown by its folder, unless that is closed or holds what else is shown', (t) => {
  const folder = join(temporaryDirectory(t), 'lists');
  const path = join(folder, 'nodes');
  mkdirSync(folder);
  writeFileSync(path, '');
  chmodSync(folder, 0o755);
  const byFolder = { path: folder, access: 'read', owners: 'kept' };
  assert.deepEqual(replaceableFile(path, []), byFolder);
  assert.deepEqual(replaceableFile(path, [`${folder}s/data`]), byFolder);
  const alone = { path, access: 'read' };
  assert.deepEqual(replaceableFile(path, [join(folder, 'data')]), alone);
  chmodSync(folder, 0o700);
  assert.deepEqual(replaceableFile(path, []), alone);
});
