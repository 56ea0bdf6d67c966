import { link, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildNodeImage } from '../../examples/demo/build-image.ts';
import { type TarWriter, writeImageLayout } from '../../src/oci/mod.ts';
import { repositoryRoot } from '../repo/repository.ts';
import { blobPath, type Json, putBlob } from './oci-image.ts';
import { sharedByRun } from './shared.ts';

const handlerFile = join(repositoryRoot, 'test/e2e/image/handler.mjs');

type Files = Readonly<Record<string, string | Buffer>>;

/**
 * The demonstration's image with the tests' handler, built once a run: it has all of Node. With
 * `files`, the same and a layer more, in `directory`. Answers the reference; nobody writes to it.
 */
export async function buildTestImage(directory: string, files: Files = {}): Promise<string> {
  const plain = await sharedByRun('node-image', async (shared) => {
    const handler = await readFile(handlerFile);
    const image = { files: { 'var/task/handler.mjs': handler }, handler: 'handler.handler' };
    await buildNodeImage(shared, image);
  });
  if (Object.keys(files).length === 0) return `oci:${plain}:latest`;
  await addLayer(plain, directory, files);
  return `oci:${directory}:latest`;
}

async function readImage(layout: string): Promise<{ manifest: Json; config: Json }> {
  const read = async (path: string) => JSON.parse(await readFile(path, 'utf8')) as Json;
  const index = await read(join(layout, 'index.json'));
  const manifest = await read(blobPath(layout, index['manifests'][0].digest));
  return { manifest, config: await read(blobPath(layout, manifest['config'].digest)) };
}

/** Words of an OCI configuration's `config` that are to replace the image's. */
type Process = Readonly<Record<'Entrypoint' | 'Cmd', readonly string[]>> & {
  readonly WorkingDir: string;
};

/** Writes the image of `layout` with one layer more into `directory`; its blobs are hard links. */
export async function addLayer(
  layout: string,
  directory: string,
  files: Files,
  process?: Process,
): Promise<void> {
  const write = async (tar: TarWriter) => {
    for (const [path, content] of Object.entries(files)) {
      await tar.add({ path, mode: 0o644, mtimeSeconds: 1_700_000_000 }, Buffer.from(content));
    }
  };
  await mkdir(directory, { recursive: true });
  await writeImageLayout(directory, { layers: [{ compression: 'gzip', write }] });
  const [base, top] = [await readImage(layout), await readImage(directory)];
  for (const { digest } of base.manifest['layers']) {
    await link(blobPath(layout, digest), blobPath(directory, digest));
  }
  const { config, manifest } = base;
  config['rootfs'].diff_ids.push(...top.config['rootfs'].diff_ids);
  config['history'].push(...top.config['history']);
  Object.assign(config['config'], process);
  manifest['layers'].push(...top.manifest['layers']);
  Object.assign(manifest['config'], putBlob(directory, Buffer.from(JSON.stringify(config))));
  const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as Json;
  const written = putBlob(directory, Buffer.from(JSON.stringify(manifest)));
  Object.assign(index['manifests'][0], written);
  await writeFile(join(directory, 'index.json'), JSON.stringify(index));
}
