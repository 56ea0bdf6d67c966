import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { hostHas } from '../../test/support/host.ts';
import { runOrThrow } from '../../test/support/run.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { type ErrorCode, isSluiceError } from '../base/mod.ts';
import { type LayerToWrite, type OciImage, openImage, readTar, writeImageLayout } from './mod.ts';

const text = Buffer.from('content '.repeat(20_000));
const layerOf = (name: string, compression: 'gzip' | 'zstd' | 'none'): LayerToWrite => ({
  compression,
  write: (tar) => tar.add({ path: name, mtimeSeconds: 1 }, text),
});
const layers = [layerOf('one', 'gzip'), layerOf('two', 'none'), layerOf('three', 'gzip')];

async function namesIn(image: OciImage): Promise<string[]> {
  const names: string[] = [];
  for (let index = 0; index < image.layers.length; index++) {
    for await (const entry of readTar(image.openLayer(index))) names.push(entry.path);
  }
  return names;
}

async function writeLayout(t: TestContext, tag = 'latest'): Promise<string> {
  const directory = temporaryDirectory(t, 'layout');
  const config = { cmd: ['run'], env: ['A=1'], labels: { a: 'b' }, workingDir: '/w', user: '5' };
  await writeImageLayout(directory, { layers, tag, config });
  return directory;
}

function blobPath(directory: string, digest: string): string {
  return join(directory, 'blobs', digest.replace(':', '/'));
}

function putBlob(directory: string, bytes: Buffer): { digest: string; size: number } {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  writeFileSync(blobPath(directory, digest), bytes);
  return { digest, size: bytes.length };
}

/** Replaces the layout's manifest, or index, by what `change` makes of it. */
function rewrite(directory: string, change: (manifest: Json) => object): void {
  const indexPath = join(directory, 'index.json');
  const index = JSON.parse(readFileSync(indexPath, 'utf8'));
  const manifest = JSON.parse(readFileSync(blobPath(directory, index.manifests[0].digest), 'utf8'));
  const changed = change(manifest) as Json;
  const put = putBlob(directory, Buffer.from(JSON.stringify(changed)));
  const mediaType = changed['mediaType'] ?? index.manifests[0].mediaType;
  index.manifests = [{ ...put, mediaType }];
  writeFileSync(indexPath, JSON.stringify(index));
}

// biome-ignore lint/suspicious/noExplicitAny: a test takes documents apart.
type Json = Record<string, any>;

async function rejects(reference: string, code: ErrorCode, pattern: RegExp): Promise<void> {
  const opened = openImage(reference, { platform: { os: 'linux', architecture: 'amd64' } });
  await assert.rejects(
    opened.then(async (image) => {
      try {
        await namesIn(image);
      } finally {
        await image.close();
      }
    }),
    (error) => {
      assert.ok(isSluiceError(error, code), `${String(error)} instead of ${code}`);
      assert.match(error.message, pattern);
      return true;
    },
  );
}

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
  if (!hostHas(t, 'tool:tar')) return;
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
  await rejects(`docker-archive:${archive}.gz`, 'IMAGE_MALFORMED', /gzip -d/);
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

test('a layer that is not what its digest says is refused by name', async (t) => {
  const gz = 'application/vnd.oci.image.layer.v1.tar+gzip';
  const cases: [string, (layer: Buffer) => Buffer, boolean, ErrorCode][] = [
    ['garbled, same digest claimed', (b) => flip(b), false, 'IMAGE_DIGEST_MISMATCH'],
    ['cut short', (b) => b.subarray(0, 100), false, 'IMAGE_LAYER_TRUNCATED'],
    ['longer', (b) => Buffer.concat([b, b]), false, 'IMAGE_DIGEST_MISMATCH'],
    ['published garbled', (b) => flip(b), true, 'IMAGE_LAYER_CORRUPT'],
    ['published cut short', (b) => b.subarray(0, 100), true, 'IMAGE_LAYER_TRUNCATED'],
    ['another content', () => gzipSync(Buffer.alloc(10_240)), true, 'IMAGE_DIGEST_MISMATCH'],
  ];
  for (const [name, change, published, code] of cases) {
    const directory = await writeLayout(t);
    rewrite(directory, (manifest) => {
      const path = blobPath(directory, manifest['layers'][0].digest);
      const bytes = change(readFileSync(path));
      if (!published) writeFileSync(path, bytes);
      else manifest['layers'][0] = { mediaType: gz, ...putBlob(directory, bytes) };
      return manifest;
    });
    await t.test(name, () => rejects(`oci:${directory}`, code, /layer sha256:[0-9a-f]{64}/));
  }
});

/** Another byte in the checksum that ends a gzip stream. */
function flip(bytes: Buffer): Buffer {
  const flipped = Buffer.from(bytes);
  flipped[bytes.length - 8] = flipped[bytes.length - 8]! ^ 0x55;
  return flipped;
}

test('documents that are none, or of kinds that nobody knows, are refused', async (t) => {
  const cases: [string, (manifest: Json) => object, ErrorCode, RegExp][] = [
    [
      'schema 1',
      () => ({ schemaVersion: 1, fsLayers: [] }),
      'IMAGE_MEDIA_TYPE_UNKNOWN',
      /schema 1/,
    ],
    [
      'another media type',
      (m) => ({ ...m, mediaType: 'application/x-helm' }),
      'IMAGE_MEDIA_TYPE_UNKNOWN',
      /x-helm/,
    ],
    [
      'a layer of another type',
      (m) => ({ ...m, layers: [{ ...m['layers'][0], mediaType: 'application/x-squashfs' }] }),
      'IMAGE_MEDIA_TYPE_UNKNOWN',
      /x-squashfs/,
    ],
    [
      'a foreign layer',
      (m) => ({
        ...m,
        layers: [
          {
            ...m['layers'][0],
            mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
          },
        ],
      }),
      'IMAGE_MEDIA_TYPE_UNKNOWN',
      /non-distributable/,
    ],
    [
      'an artifact',
      (m) => ({ ...m, config: { ...m['config'], mediaType: 'application/vnd.oci.empty.v1+json' } }),
      'IMAGE_MEDIA_TYPE_UNKNOWN',
      /no container image/,
    ],
    ['both kinds', (m) => ({ ...m, manifests: [] }), 'IMAGE_MALFORMED', /both/],
    ['fewer layers', (m) => ({ ...m, layers: [] }), 'IMAGE_MALFORMED', /3 diff ids, 0 layers/],
    [
      'a digest that is a path',
      (m) => ({ ...m, config: { ...m['config'], digest: 'sha256:../../../etc/passwd' } }),
      'IMAGE_MALFORMED',
      /digest/,
    ],
    [
      'a negative size',
      (m) => ({ ...m, config: { ...m['config'], size: -1 } }),
      'IMAGE_MALFORMED',
      /size/,
    ],
    [
      'too many layers',
      (m) => ({ ...m, layers: Array(200).fill(m['layers'][0]) }),
      'IMAGE_MALFORMED',
      /200 layers/,
    ],
  ];
  for (const [name, change, code, pattern] of cases) {
    const directory = await writeLayout(t);
    rewrite(directory, change);
    await t.test(name, () => rejects(`oci:${directory}`, code, pattern));
  }
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
  await writeImageLayout(directory, { layers: layers.slice(0, 1), tag: 'two' });
  const second = JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8'));
  second.manifests.push(...first.manifests);
  writeFileSync(join(directory, 'index.json'), JSON.stringify(second));
  await rejects(`oci:${directory}`, 'IMAGE_REFERENCE_INVALID', /two, one/);
  assert.equal((await openImage(`oci:${directory}:two`)).layers.length, 1);
  assert.equal((await openImage(`oci:${directory}:one`)).layers.length, 3);
});
