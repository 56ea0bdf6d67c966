import { assert, type ErrorCode, limits, SluiceError } from '../base/mod.ts';
import { type Digest, sha256Digest } from './digest.ts';
import { type Descriptor, isObject, malformed, parseJson } from './documents.ts';
import { parseImageConfig } from './image-config.ts';
import type { ImageSource, ManifestBytes } from './image-source.ts';
import { mediaTypes } from './media-types.ts';
import { type DockerArchiveReference, parseImageReference } from './reference.ts';
import type { TarArchive } from './tar-archive.ts';

interface SavedImage {
  readonly configPath: string;
  readonly tags: readonly string[];
  readonly layerPaths: readonly string[];
}

interface OpenedImage extends SavedImage {
  readonly config: Buffer;
  readonly manifest: Buffer;
  readonly digest: Digest;
}

/**
 * What `docker save` and `skopeo copy … docker-archive:` write. The format has no manifest, so one
 * is made for its digest: of schema 2, over the archive's config and its layers' diff ids. The same
 * image packed in the same way gives the same digest.
 */
export class DockerArchiveSource implements ImageSource {
  readonly name: string;
  /** Layers are named by their diff ids, which are of the uncompressed bytes. */
  readonly layersHaveDigests = false;
  readonly #archive: TarArchive;
  readonly #reference: DockerArchiveReference;
  #opened: OpenedImage | undefined;

  constructor(archive: TarArchive, reference: DockerArchiveReference) {
    this.name = archive.name;
    this.#archive = archive;
    this.#reference = reference;
  }

  async root(): Promise<ManifestBytes> {
    const where = `${this.name}: manifest.json`;
    const json = await this.#archive.read('manifest.json', limits.image.manifestBytes);
    const images = this.#tagged(parseSavedImages(parseJson(json, where), where));
    const opened: OpenedImage[] = [];
    for (const image of images) opened.push(await this.#open(image, where));
    const { digest } = this.#reference;
    this.#opened = this.#only(opened.filter((each) => !digest || each.digest === digest));
    const { manifest } = this.#opened;
    return {
      bytes: manifest,
      digest: this.#opened.digest,
      mediaType: mediaTypes.dockerManifest,
    };
  }

  async manifest(): Promise<ManifestBytes> {
    throw malformed(this.name, 'a docker archive has no index');
  }

  async config(): Promise<Buffer> {
    return this.#image.config;
  }

  layer(_descriptor: Descriptor, index: number, signal?: AbortSignal): AsyncIterable<Buffer> {
    return this.#archive.open(this.#image.layerPaths[index] ?? '', signal);
  }

  close(): Promise<void> {
    return this.#archive.close();
  }

  get #image(): OpenedImage {
    assert(this.#opened !== undefined, 'root() is asked for first');
    return this.#opened;
  }

  async #open(image: SavedImage, where: string): Promise<OpenedImage> {
    const config = await this.#archive.read(image.configPath, limits.image.configBytes);
    const { diffIds } = parseImageConfig(config, `${this.name}: ${image.configPath}`);
    if (diffIds.length !== image.layerPaths.length) {
      throw malformed(where, `${image.layerPaths.length} layers, ${diffIds.length} diff ids`);
    }
    const layers = diffIds.map((digest, index) => ({
      digest,
      sizeBytes: this.#archive.sizeBytes(image.layerPaths[index]!),
    }));
    const manifest = manifestFor(config, layers);
    return { ...image, config, manifest, digest: sha256Digest(manifest) };
  }

  #tagged(images: readonly SavedImage[]): readonly SavedImage[] {
    const { tag } = this.#reference;
    if (tag === undefined) return images;
    const tagged = images.filter((image) => image.tags.some((each) => sameTag(each, tag)));
    if (tagged.length > 0) return tagged;
    throw this.#choiceError('IMAGE_NOT_FOUND', `no image ${tag} in manifest.json`, images);
  }

  #only(images: readonly OpenedImage[]): OpenedImage {
    const [image, another] = images;
    if (image === undefined) {
      const { digest = '' } = this.#reference;
      throw this.#choiceError('IMAGE_NOT_FOUND', `no image ${digest} in manifest.json`, images);
    }
    if (another === undefined) return image;
    throw this.#choiceError('IMAGE_REFERENCE_INVALID', 'it holds several images; name one', images);
  }

  #choiceError(code: ErrorCode, what: string, images: readonly SavedImage[]): SluiceError {
    const tags = images.flatMap((image) => image.tags).join(', ') || 'none';
    return new SluiceError(code, `${this.name}: ${what}; its tags: ${tags}`, { data: { tags } });
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
