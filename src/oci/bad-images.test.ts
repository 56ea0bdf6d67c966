import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  blobPath,
  type Json,
  putBlob,
  rejects,
  rewrite,
  writeLayout,
} from '../../test/support/oci-image.ts';
import type { ErrorCode } from '../base/mod.ts';

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

test('documents that are malformed or of unknown kinds are refused', async (t) => {
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
      (m) => ({ ...m, layers: Array(1001).fill(m['layers'][0]) }),
      'IMAGE_MALFORMED',
      /1001 layers/,
    ],
  ];
  for (const [name, change, code, pattern] of cases) {
    const directory = await writeLayout(t);
    rewrite(directory, change);
    await t.test(name, () => rejects(`oci:${directory}`, code, pattern));
  }
});
