import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { isSluiceError, limits } from '../base/mod.ts';
import { readTar, TarWriter } from '../oci/mod.ts';
import { writeZip, type ZipMember } from '../zip/mod.ts';
import { UnpackedBudget, writeArchive } from './archive-layer.ts';

async function layerOf(members: readonly ZipMember[], budget = new UnpackedBudget()) {
  const parts: Buffer[] = [];
  const tar = new TarWriter((bytes) => {
    parts.push(Buffer.from(bytes));
  });
  await writeArchive(tar, writeZip(members), 'var/task', budget);
  await tar.end();
  const entries = [];
  for await (const entry of readTar(Readable.from(parts), { where: 'the layer' })) {
    let text = '';
    for await (const part of entry.content()) text += part.toString();
    const { path, kind, mode, linkTarget } = entry;
    entries.push([path, kind, mode.toString(8), linkTarget ?? text]);
  }
  return entries;
}

const member = (name: string, mode = 0o644, isSymlink = false): ZipMember => ({
  ...{ name, mode, isSymlink },
  content: Buffer.from(`of ${name}`),
});

test('members become entries; what their owner may do, all may, and nobody becomes root', async () => {
  const members = [
    member('bootstrap', 0o4700),
    member('private', 0o600),
    member('link', 0o777, true),
  ];
  assert.deepEqual(await layerOf(members), [
    ['var/task', 'directory', '755', ''],
    ['var/task/bootstrap', 'file', '755', 'of bootstrap'],
    ['var/task/private', 'file', '644', 'of private'],
    ['var/task/link', 'symlink', '777', 'of link'],
  ]);
});

test('names that would mean something else in a layer are refused', async () => {
  for (const members of [
    [member('dir/.wh.passwd')],
    [member('.wh..wh..opq')],
    [member('etc', 0o777, true), member('etc/passwd')],
  ]) {
    await assert.rejects(layerOf(members), (error) => isSluiceError(error, 'CODE_INVALID'));
  }
});

test('all archives of a function share one budget', async () => {
  const budget = new UnpackedBudget();
  budget.take(limits.lambda.codeSizeUnzippedBytes - 10);
  await layerOf([member('a')], budget);
  await assert.rejects(layerOf([{ name: 'b', content: Buffer.alloc(10) }], budget), (error) =>
    isSluiceError(error, 'CODE_TOO_LARGE'),
  );
});
