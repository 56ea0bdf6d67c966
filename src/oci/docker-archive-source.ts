import { limits, SluiceError } from '../base/mod.ts';
import { type Digest, sha256Digest } from './digest.ts';
import { type Descriptor, isObject, malformed, parseJson } from './documents.ts';
import { parseImageConfig } from './image-config.ts';
import type { ImageSource, ManifestBytes } from './image-source.ts';
import { mediaTypes } from './media-types.ts';
import { parseImageReference } from './reference.ts';
import type { TarArchive } from './tar-archive.ts';

interface SavedImage {
  readonly configPath: string;
  readonly tags: readonly string[];
  readonly layerPaths: readonly string[];
}

/**
 * What `docker save` and `skopeo copy … docker-archive:` write. The format has no manifest digest,
 * so one is made: of a schema 2 manifest over the archive's config and its layers' diff ids. The
 * same image gives the same digest from any archive.
 */
export class DockerArchiveSource implements ImageSource {
  readonly name: string;
  /** Layers are named by their diff ids, which are of the uncompressed bytes. */
  readonly layersHaveDigests = false;
  readonly #archive: TarArchive;
  readonly #tag: string | undefined;
  #config: Buffer | undefined;
  #image: SavedImage | undefined;

  constructor(archive: TarArchive, tag: string | undefined) {
    this.name = archive.name;
    this.#archive = archive;
    this.#tag = tag;
  }

  async root(): Promise<ManifestBytes> {
    const where = `${this.name}: manifest.json`;
    const bytes = await this.#archive.read('manifest.json', limits.image.manifestBytes);
    const image = this.#choose(parseSavedImages(parseJson(bytes, where), where));
    const config = await this.#archive.read(image.configPath, limits.image.configBytes);
    const { diffIds } = parseImageConfig(config, `${this.name}: ${image.configPath}`);
    if (diffIds.length !== image.layerPaths.length) {
      throw malformed(where, `${image.layerPaths.length} layers, ${diffIds.length} diff ids`);
    }
    this.#image = image;
    this.#config = config;
    const manifest = manifestFor(
      config,
      diffIds.map((digest, index) => ({
        digest,
        sizeBytes: this.#archive.sizeBytes(image.layerPaths[index]!),
      })),
    );
    return {
      bytes: manifest,
      digest: sha256Digest(manifest),
      mediaType: mediaTypes.dockerManifest,
    };
  }

  async manifest(): Promise<ManifestBytes> {
    throw malformed(this.name, 'a docker archive has no index');
  }

  async config(): Promise<Buffer> {
    return this.#config ?? Buffer.alloc(0);
  }

  layer(_descriptor: Descriptor, index: number, signal?: AbortSignal): AsyncIterable<Buffer> {
    return this.#archive.open(this.#image?.layerPaths[index] ?? '', signal);
  }

  close(): Promise<void> {
    return this.#archive.close();
  }

  #choose(images: readonly SavedImage[]): SavedImage {
    const tag = this.#tag;
    const named =
      tag === undefined
        ? images
        : images.filter((image) => image.tags.some((each) => sameTag(each, tag)));
    if (named.length === 1) return named[0]!;
    const known = images.flatMap((image) => image.tags).join(', ') || 'none';
    if (named.length === 0) {
      throw new SluiceError(
        'IMAGE_NOT_FOUND',
        `${this.name}: no image ${tag ?? ''} in manifest.json; its tags: ${known}`,
        { data: { tags: known } },
      );
    }
    throw new SluiceError(
      'IMAGE_REFERENCE_INVALID',
      `${this.name}: it holds several images; name one by its tag: ${known}`,
      { data: { tags: known } },
    );
  }
}

/** `app:1` and `docker.io/library/app:1` are the same. */
function sameTag(a: string, b: string): boolean {
  const full = (text: string) => {
    try {
      return JSON.stringify(parseImageReference(text));
    } catch {
      return text;
    }
  };
  return a === b || full(a) === full(b);
}

function parseSavedImages(value: unknown, where: string): SavedImage[] {
  if (!Array.isArray(value)) throw malformed(where, 'it is no list');
  return value.map((each) => {
    const strings = (list: unknown) =>
      Array.isArray(list) && list.every((item) => typeof item === 'string')
        ? (list as string[])
        : undefined;
    const layerPaths = isObject(each) ? strings(each['Layers'] ?? []) : undefined;
    if (!isObject(each) || typeof each['Config'] !== 'string' || layerPaths === undefined) {
      throw malformed(where, 'an image has no "Config" or no "Layers"');
    }
    return { configPath: each['Config'], tags: strings(each['RepoTags']) ?? [], layerPaths };
  });
}

function manifestFor(
  config: Buffer,
  layers: readonly { digest: Digest; sizeBytes: number }[],
): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config: {
        mediaType: mediaTypes.dockerConfig,
        size: config.length,
        digest: sha256Digest(config),
      },
      layers: layers.map(({ digest, sizeBytes }) => ({
        mediaType: mediaTypes.dockerLayer,
        size: sizeBytes,
        digest,
      })),
    }),
  );
}
