import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { isSluiceError } from '../../src/base/mod.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { flattenedDiskTree } from './disk-tree.ts';
import { RawLayout } from './raw-layout.ts';
import { file, layer, padded, pax } from './raw-tar.ts';

/** A file of one byte at `offset` of so many. */
async function flattened(t: TestContext, offset: number, sizeBytes: number) {
  const layout = new RawLayout(temporaryDirectory(t, 'layout'));
  const map = padded(Buffer.from(`1\n${offset}\n1\n`));
  const records = {
    'GNU.sparse.major': '1',
    'GNU.sparse.minor': '0',
    'GNU.sparse.name': 'f',
    'GNU.sparse.realsize': `${sizeBytes}`,
  };
  layout.image([layer(pax(records), file('x', Buffer.concat([map, Buffer.from('y')])))]);
  return flattenedDiskTree(`oci:${layout.directory}`, temporaryDirectory(t, 'spool'));
}

test('a sparse giant is refused in words, whatever its size', async (t) => {
  for (const power of [44, 48, 52]) {
    await assert.rejects(flattened(t, 2 ** power - 1, 2 ** power), (error) => {
      assert.ok(isSluiceError(error), String(error));
      assert.match(error.code, /^IMAGE_(ENTRY_INVALID|TOO_LARGE)$/);
      return true;
    });
  }
});
