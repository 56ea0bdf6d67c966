import { createHash, type Hash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip, createZstdCompress, constants as zlib } from 'node:zlib';
import { KIB } from '../base/mod.ts';
import type { Compression } from './decompress.ts';
import { type Digest, sha256Digest } from './digest.ts';
import type { Descriptor } from './documents.ts';
import { mediaTypes } from './media-types.ts';
import type { Platform } from './platform.ts';
import { TarWriter } from './tar/tar-writer.ts';

export interface LayerToWrite {
  /** Writes the layer's entries; the end mark is added. */
  readonly write: (tar: TarWriter) => Promise<void>;
  readonly compression?: Compression;
  /** 1 is fast, 9 is small; 6 unless given. */
  readonly gzipLevel?: number;
}

export interface ConfigToWrite {
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly env?: readonly string[];
  readonly workingDir?: string;
  readonly user?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface LayoutToWrite {
  readonly layers: readonly LayerToWrite[];
  readonly config?: ConfigToWrite;
  readonly platform?: Platform;
  /** `latest` unless given. */
  readonly tag?: string;
}

export interface WrittenLayout {
  readonly digest: Digest;
  readonly configDigest: Digest;
  readonly layers: readonly (Descriptor & { diffId: Digest })[];
}

/** One date for all images; umoci insists that there be one. */
const CREATED = '1970-01-01T00:00:00Z';

/**
 * Writes an image as an OCI layout into `directory` (made where it is missing; an `index.json`
 * there is replaced). Equal input gives equal bytes: nothing in it tells when or where it was made.
 */
export async function writeImageLayout(
  directory: string,
  image: LayoutToWrite,
): Promise<WrittenLayout> {
  const blobs = join(directory, 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  const layers: (Descriptor & { diffId: Digest })[] = [];
  for (const layer of image.layers) layers.push(await writeLayer(blobs, layer));

  const platform = image.platform ?? { os: 'linux', architecture: 'amd64' };
  const config = await writeDocument(blobs, mediaTypes.ociConfig, {
    created: CREATED,
    ...platform,
    config: configFields(image.config ?? {}),
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map(() => ({ created: CREATED, created_by: 'sluice' })),
  });
  const manifest = await writeDocument(blobs, mediaTypes.ociManifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: toJson(config),
    layers: layers.map(toJson),
  });
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [
      {
        ...toJson(manifest),
        platform,
        annotations: { 'org.opencontainers.image.ref.name': image.tag ?? 'latest' },
      },
    ],
  };
  await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(join(directory, 'index.json'), JSON.stringify(index));
  return { digest: manifest.digest, configDigest: config.digest, layers };
}

function configFields(config: ConfigToWrite): Record<string, unknown> {
  const { entrypoint, cmd, env, workingDir, user, labels } = config;
  return {
    ...(user !== undefined && { User: user }),
    ...(env !== undefined && { Env: env }),
    ...(entrypoint !== undefined && { Entrypoint: entrypoint }),
    ...(cmd !== undefined && { Cmd: cmd }),
    ...(workingDir !== undefined && { WorkingDir: workingDir }),
    ...(labels !== undefined && { Labels: labels }),
  };
}

function toJson({ mediaType, digest, sizeBytes }: Descriptor) {
  return { mediaType, digest, size: sizeBytes };
}

async function writeDocument(
  blobs: string,
  mediaType: string,
  document: unknown,
): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(document));
  const digest = sha256Digest(bytes);
  await writeFile(join(blobs, digest.slice('sha256:'.length)), bytes);
  return { mediaType, digest, sizeBytes: bytes.length };
}

async function writeLayer(
  blobs: string,
  layer: LayerToWrite,
): Promise<Descriptor & { diffId: Digest }> {
  const compression = layer.compression ?? 'gzip';
  const temporary = join(blobs, '.layer');
  const file = await open(temporary, 'w');
  const plainHash = createHash('sha256');
  const storedHash = createHash('sha256');
  let sizeBytes = 0;
  try {
    const compressor = compressorFor(compression, layer.gzipLevel ?? 6);
    const stored = pipeline(compressor, async (source: AsyncIterable<Buffer>) => {
      for await (const bytes of source) {
        storedHash.update(bytes);
        sizeBytes += bytes.length;
        await file.writeFile(bytes);
      }
    });
    await Promise.all([feed(layer, compressor, plainHash), stored]);
    await file.close();
    const hex = storedHash.digest('hex');
    await rename(temporary, join(blobs, hex));
    const suffix = compression === 'none' ? '' : `+${compression}`;
    return {
      mediaType: `${mediaTypes.ociLayer}${suffix}`,
      digest: `sha256:${hex}`,
      sizeBytes,
      diffId: `sha256:${plainHash.digest('hex')}`,
    };
  } catch (error) {
    await file.close().catch(() => {});
    await rm(temporary, { force: true });
    throw error;
  }
}

async function feed(layer: LayerToWrite, compressor: Transform, hash: Hash): Promise<void> {
  const tar = new TarWriter(async (bytes) => {
    hash.update(bytes);
    if (compressor.destroyed) throw compressor.errored ?? new Error('the layer was given up');
    if (!compressor.write(bytes)) await once(compressor, 'drain');
  });
  try {
    await layer.write(tar);
    await tar.end();
    compressor.end();
  } catch (error) {
    compressor.destroy(error as Error);
    throw error;
  }
}

function compressorFor(compression: Compression, gzipLevel: number): Transform {
  const chunkSize = 256 * KIB;
  if (compression === 'none') return new PassThrough();
  if (compression === 'gzip') return createGzip({ chunkSize, level: gzipLevel });
  return createZstdCompress({ chunkSize, params: { [zlib.ZSTD_c_checksumFlag]: 1 } });
}
