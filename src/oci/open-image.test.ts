import assert from 'node:assert/strict';
import { readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  blobPath,
  namesIn,
  putBlob,
  rejects,
  rewrite,
  testLayers,
  writeLayout,
} from '../../test/support/oci-image.ts';
import { runOrThrow } from '../../test/support/run.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { isSluiceError } from '../base/mod.ts';
import { openImage, writeImageLayout } from './mod.ts';

test('a layout: configuration, layers, and the reference that names it for ever', async (t) => {
  const directory = await writeLayout(t);
  const image = await openImage(`oci:${directory}:latest`);
  t.after(() => image.close());
  assert.equal(image.resolvedReference, `oci:${directory}@${image.digest}`);
  assert.deepEqual(image.config.cmd, ['run']);
  assert.deepEqual(image.config.env, ['A=1']);
  assert.deepEqual([image.config.workingDir, image.config.user], ['/w', '5']);
  assert.deepEqual(image.config.labels, { a: 'b' });
  assert.deepEqual(await namesIn(image), ['one', 'two', 'three']);
  const again = await openImage(image.resolvedReference);
  assert.equal(again.digest, image.digest);
});

test('equal input writes an equal layout', async (t) => {
  const [a, b] = [await writeLayout(t), await writeLayout(t)];
  assert.equal(
    readFileSync(join(a, 'index.json'), 'utf8'),
    readFileSync(join(b, 'index.json'), 'utf8'),
  );
});

test('platforms: the index is searched, and what is missing is listed', async (t) => {
  const directory = await writeLayout(t);
  rewrite(directory, (manifest) => {
    const put = putBlob(directory, Buffer.from(JSON.stringify(manifest)));
    const platform = (architecture: string) => ({
      mediaType: manifest['mediaType'],
      ...put,
      platform: { os: 'linux', architecture },
    });
    return {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [platform('s390x'), platform('amd64'), platform('unknown')],
    };
  });
  const image = await openImage(`oci:${directory}`, {
    platform: { os: 'linux', architecture: 'amd64' },
  });
  assert.deepEqual(await namesIn(image), ['one', 'two', 'three']);
  assert.equal((await openImage(image.resolvedReference)).digest, image.digest);
  await assert.rejects(
    openImage(`oci:${directory}`, { platform: { os: 'linux', architecture: 'arm64' } }),
    (error) => isSluiceError(error, 'IMAGE_PLATFORM_MISSING') && /linux\/s390x/.test(error.message),
  );
  const plain = await writeLayout(t);
  await assert.rejects(
    openImage(`oci:${plain}`, { platform: { os: 'linux', architecture: 'arm64' } }),
    (error) => isSluiceError(error, 'IMAGE_PLATFORM_MISSING'),
  );
});

test('a layout with a link out of it, without a file, or no layout at all', async (t) => {
  const outside = join(temporaryDirectory(t, 'outside'), 'secret');
  const directory = await writeLayout(t);
  const image = await openImage(`oci:${directory}`);
  const blob = blobPath(directory, image.layers[0]!.digest);
  writeFileSync(outside, readFileSync(blob));
  rmSync(blob);
  await rejects(`oci:${directory}`, 'IMAGE_NOT_FOUND', /blobs\/sha256/);
  symlinkSync(outside, blob);
  await rejects(`oci:${directory}`, 'IMAGE_PATH_ESCAPES', /leads out/);
  rmSync(blob);
  await runOrThrow('mkfifo', [blob]);
  await rejects(`oci:${directory}`, 'IMAGE_MALFORMED', /no regular file/);

  await rejects('oci:/nowhere/at/all', 'IMAGE_NOT_FOUND', /\/nowhere\/at\/all/);
  await rejects('oci-archive:/nowhere.tar', 'IMAGE_NOT_FOUND', /nowhere/);
  await rejects(`docker-archive:${directory}`, 'IMAGE_MALFORMED', /regular/);
  writeFileSync(join(directory, 'index.json'), '{"manifests":');
  await rejects(`oci:${directory}`, 'IMAGE_MALFORMED', /JSON/);
});

test('several images in one layout need a tag', async (t) => {
  const directory = await writeLayout(t, 'one');
  const first = JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8'));
  await writeImageLayout(directory, { layers: testLayers.slice(0, 1), tag: 'two' });
  const second = JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8'));
  second.manifests.push(...first.manifests);
  writeFileSync(join(directory, 'index.json'), JSON.stringify(second));
  await rejects(`oci:${directory}`, 'IMAGE_REFERENCE_INVALID', /two, one/);
  assert.equal((await openImage(`oci:${directory}:two`)).layers.length, 1);
  assert.equal((await openImage(`oci:${directory}:one`)).layers.length, 3);
});
