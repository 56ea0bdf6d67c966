import { tmpdir } from 'node:os';
import { type Clock, MIB, systemClock } from '../base/mod.ts';
import type { Digest } from './digest.ts';
import { DockerArchiveSource } from './docker-archive-source.ts';
import { malformed } from './documents.ts';
import { checkPlatform, findManifest } from './find-manifest.ts';
import { type ImageConfig, parseImageConfig } from './image-config.ts';
import type { ImageSource } from './image-source.ts';
import { layerBytes } from './layer-bytes.ts';
import { LayerThread } from './layer-thread/layer-thread.ts';
import { LayoutDirectory } from './layout-files.ts';
import { LayoutSource } from './layout-source.ts';
import { hostPlatform, type Platform } from './platform.ts';
import { type ImageReference, parseImageReference, referenceBase } from './reference.ts';
import type { ConnectionSettings } from './registry/connections.ts';
import type { Credentials } from './registry/credentials.ts';
import { RegistrySource } from './registry/registry-source.ts';
import { TarArchive } from './tar-archive.ts';

export interface OpenImageOptions extends ConnectionSettings {
  /** This host's unless given. */
  readonly platform?: Platform;
  /** For the registry: `findCredentials` has those of files. */
  readonly credentials?: Credentials;
  /** Where a compressed archive is unpacked to while it is open; the host's /tmp unless given. */
  readonly spoolDirectory?: string;
  /** The folder that a local reference may not lead out of. */
  readonly within?: string;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

export interface LayerDescriptor {
  readonly mediaType: string;
  /** Of the stored bytes; in a docker archive, of the uncompressed ones. */
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** Of the uncompressed bytes. */
  readonly diffId: Digest;
}

/** An image whose manifest and configuration are read and checked; its layers are streams. */
export interface OciImage {
  readonly reference: ImageReference;
  /** The reference with the manifest's digest for its tag: it names the same bytes for ever. */
  readonly resolvedReference: string;
  /** Of the manifest of the chosen platform. */
  readonly digest: Digest;
  readonly config: ImageConfig;
  readonly configDigest: Digest;
  /** Lowest first. */
  readonly layers: readonly LayerDescriptor[];
  /**
   * A layer's uncompressed tar stream; each Buffer is good until the next is asked for. Bytes go
   * out before the digests are known to match, so what is made of them counts only once the stream
   * has ended. Throws `IMAGE_DIGEST_MISMATCH`, `IMAGE_LAYER_TRUNCATED` and `IMAGE_LAYER_CORRUPT`,
   * each naming the layer. `onStoredBytes` hears of the bytes as they are read, for progress.
   */
  openLayer(
    index: number,
    signal?: AbortSignal,
    onStoredBytes?: (count: number) => void,
  ): AsyncIterable<Buffer>;
  close(): Promise<void>;
}

/**
 * Opens the image that `reference` names, for one platform. Throws `IMAGE_REFERENCE_INVALID`,
 * `IMAGE_NOT_FOUND`, `IMAGE_PLATFORM_MISSING`, `IMAGE_MEDIA_TYPE_UNKNOWN`, `IMAGE_MALFORMED`,
 * `IMAGE_DIGEST_MISMATCH`, `REGISTRY_DENIED` and `REGISTRY_UNAVAILABLE`.
 */
export async function openImage(
  reference: string | ImageReference,
  options: OpenImageOptions = {},
): Promise<OciImage> {
  const parsed = typeof reference === 'string' ? parseImageReference(reference) : reference;
  const source = await openSource(parsed, options);
  try {
    return await readImage(parsed, source, options);
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function openSource(
  reference: ImageReference,
  options: OpenImageOptions,
): Promise<ImageSource> {
  switch (reference.kind) {
    case 'oci':
      return new LayoutSource(new LayoutDirectory(reference.path, options.within), reference);
    case 'oci-archive':
      return new LayoutSource(await openArchive(reference, options), reference);
    case 'docker-archive':
      return openDockerArchive(reference, options);
    case 'registry':
      return RegistrySource.open(reference, { clock: systemClock, ...options });
  }
}

function openArchive({ path }: { readonly path: string }, options: OpenImageOptions) {
  const { spoolDirectory = tmpdir(), signal, within } = options;
  return TarArchive.open(path, { spoolDirectory, ...(signal && { signal }) }, within);
}

/** Older archives have a `manifest.json`; what has none may still be a layout. */
async function openDockerArchive(
  reference: ImageReference & { kind: 'docker-archive' },
  options: OpenImageOptions,
): Promise<ImageSource> {
  const archive = await openArchive(reference, options);
  if (!(await archive.has('manifest.json')) && (await archive.has('index.json'))) {
    return new LayoutSource(archive, { ...reference, kind: 'oci-archive' });
  }
  return new DockerArchiveSource(archive, reference);
}

async function readImage(
  reference: ImageReference,
  source: ImageSource,
  options: OpenImageOptions,
): Promise<OciImage> {
  const platform = options.platform ?? hostPlatform();
  const { manifest, digest } = await findManifest(source, platform, options.signal);
  const configBytes = await source.config(manifest.config, options.signal);
  const where = `${source.name}: config ${manifest.config.digest}`;
  const config = parseImageConfig(configBytes, where);
  if (config.diffIds.length !== manifest.layers.length) {
    throw malformed(where, `${config.diffIds.length} diff ids, ${manifest.layers.length} layers`);
  }
  if (options.platform !== undefined) checkPlatform(config, options.platform, source.name);
  const layers = manifest.layers.map((layer, index) => ({
    ...layer,
    diffId: config.diffIds[index]!,
  }));
  const reader = new LayerReader(source.layersHaveDigests);
  return {
    reference,
    resolvedReference: `${referenceBase(reference)}@${digest}`,
    digest,
    config,
    configDigest: manifest.config.digest,
    layers,
    openLayer: (index, signal, onStoredBytes) => {
      const layer = layers[index];
      if (layer === undefined) throw new RangeError(`layer ${index} of ${layers.length}`);
      const stored = source.layer(layer, index, signal);
      return reader.read(layer, onStoredBytes ? counted(stored, onStoredBytes) : stored);
    },
    close: async () => {
      await reader.close();
      await source.close();
    },
  };
}

/** Layers smaller than this are decompressed where they are used: a thread costs more. */
const THREAD_FROM_BYTES = 1 * MIB;

/** Reads an image's layers, the larger ones in a thread that is started for the first of them. */
class LayerReader {
  readonly #layersHaveDigests: boolean;
  #thread: LayerThread | undefined;

  constructor(layersHaveDigests: boolean) {
    this.#layersHaveDigests = layersHaveDigests;
  }

  read(layer: LayerDescriptor, stored: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    const { digest, sizeBytes, diffId } = layer;
    const checks = {
      layerDigest: digest,
      diffId,
      ...(this.#layersHaveDigests && { stored: { digest, sizeBytes } }),
    };
    if (sizeBytes < THREAD_FROM_BYTES || this.#thread?.busy) return layerBytes(stored, checks);
    this.#thread ??= new LayerThread();
    return this.#thread.read(stored, checks);
  }

  async close(): Promise<void> {
    await this.#thread?.close();
  }
}

async function* counted(
  source: AsyncIterable<Buffer>,
  onBytes: (count: number) => void,
): AsyncGenerator<Buffer> {
  for await (const bytes of source) {
    onBytes(bytes.length);
    yield bytes;
  }
}
