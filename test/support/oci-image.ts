import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type ErrorCode, isSluiceError } from '../../src/base/mod.ts';
import {
  type LayerToWrite,
  type OciImage,
  openImage,
  readTar,
  writeImageLayout,
} from '../../src/oci/mod.ts';
import { temporaryDirectory } from './temporary.ts';

const text = Buffer.from('content '.repeat(20_000));
const layerOf = (name: string, compression: 'gzip' | 'zstd' | 'none'): LayerToWrite => ({
  compression,
  write: (tar) => tar.add({ path: name, mtimeSeconds: 1 }, text),
});
export const testLayers = [
  layerOf('one', 'gzip'),
  layerOf('two', 'none'),
  layerOf('three', 'gzip'),
];

/** Reads all layers to their ends; answers the paths in them. */
export async function namesIn(image: OciImage): Promise<string[]> {
  const names: string[] = [];
  for (let index = 0; index < image.layers.length; index++) {
    for await (const entry of readTar(image.openLayer(index))) names.push(entry.path);
  }
  return names;
}

/** A layout of three layers, `one`, `two` and `three`; answers its directory. */
export async function writeLayout(t: TestContext, tag = 'latest'): Promise<string> {
  const directory = temporaryDirectory(t, 'layout');
  const config = { cmd: ['run'], env: ['A=1'], labels: { a: 'b' }, workingDir: '/w', user: '5' };
  await writeImageLayout(directory, { layers: testLayers, tag, config });
  return directory;
}

export function blobPath(directory: string, digest: string): string {
  return join(directory, 'blobs', digest.replace(':', '/'));
}

export function putBlob(directory: string, bytes: Buffer): { digest: string; size: number } {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  writeFileSync(blobPath(directory, digest), bytes);
  return { digest, size: bytes.length };
}

/** Replaces the layout's manifest, or index, by what `change` makes of it. */
export function rewrite(directory: string, change: (manifest: Json) => object): void {
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
export type Json = Record<string, any>;

/** Opening the image, or reading its layers, fails with the code and a message like that. */
export async function rejects(reference: string, code: ErrorCode, pattern: RegExp): Promise<void> {
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
