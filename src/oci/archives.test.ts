import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostHas } from '../../test/support/host.ts';
import { blobPath, namesIn, rejects, writeLayout } from '../../test/support/oci-image.ts';
import { runOrThrow } from '../../test/support/run.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { openImage } from './mod.ts';

test('archives as skopeo packs them hold the same image', async (t) => {
  if (!hostHas(t, 'tool:skopeo')) return;
  const directory = await writeLayout(t);
  const there = temporaryDirectory(t, 'archives');
  for (const form of ['oci-archive', 'docker-archive', 'oci'] as const) {
    const path = join(there, form);
    const target = form === 'docker-archive' ? `${form}:${path}:app:1` : `${form}:${path}:app`;
    await runOrThrow('skopeo', ['copy', '-q', `oci:${directory}:latest`, target]);
    const image = await openImage(`${form}:${path}`);
    assert.deepEqual(await namesIn(image), ['one', 'two', 'three'], form);
    const diffIds = (await openImage(`oci:${directory}`)).config.diffIds;
    assert.deepEqual(image.config.diffIds, diffIds);
    await image.close();
    const again = await openImage(image.resolvedReference);
    assert.equal(again.digest, image.digest);
    await again.close();
    await rejects(`${form}:${path}@sha256:${'0'.repeat(64)}`, 'IMAGE_NOT_FOUND', /000/);
    await (await openImage(target)).close();
    await rejects(`${form}:${path}:other`, 'IMAGE_NOT_FOUND', /no image other .*app/);
  }
});

test('a docker archive with its layers anywhere, linked and compressed', async (t) => {
  if (!hostHas(t, 'tool:tar', 'tool:xz')) return;
  const layout = await writeLayout(t);
  const image = await openImage(`oci:${layout}`);
  const there = temporaryDirectory(t, 'docker');
  mkdirSync(join(there, 'aa'));
  mkdirSync(join(there, 'bb'));
  const layer = (index: number) => readFileSync(blobPath(layout, image.layers[index]!.digest));
  writeFileSync(join(there, 'first.tar'), layer(0));
  writeFileSync(join(there, 'aa/layer.tar'), layer(1));
  symlinkSync('../aa/layer.tar', join(there, 'bb/layer.tar'));
  const config = readFileSync(blobPath(layout, image.configDigest));
  const json = JSON.parse(config.toString());
  json.rootfs.diff_ids = [0, 1, 1].map((index) => image.config.diffIds[index]);
  writeFileSync(join(there, 'config.json'), JSON.stringify(json));
  const Layers = ['first.tar', 'aa/layer.tar', 'bb/layer.tar'];
  const manifest = [{ Config: 'config.json', RepoTags: ['app:1'], Layers }];
  writeFileSync(join(there, 'manifest.json'), JSON.stringify(manifest));
  const archive = join(there, 'archive.tar');
  const names = ['bb', 'manifest.json', 'first.tar', 'aa', 'config.json'];
  await runOrThrow('tar', ['-cf', archive, '-C', there, ...names]);
  const opened = await openImage(`docker-archive:${archive}:docker.io/library/app:1`);
  assert.deepEqual(await namesIn(opened), ['one', 'two', 'two']);
  await opened.close();
  await runOrThrow('gzip', ['-1k', archive]);
  const compressed = await openImage(`docker-archive:${archive}.gz`);
  assert.deepEqual(await namesIn(compressed), ['one', 'two', 'two']);
  assert.equal(compressed.digest, opened.digest);
  await compressed.close();
  await runOrThrow('xz', ['-1k', archive]);
  await rejects(
    `docker-archive:${archive}.xz`,
    'IMAGE_COMPRESSION_UNKNOWN',
    /archive.tar.xz: .*xz.*gzip or zstd/,
  );
});
