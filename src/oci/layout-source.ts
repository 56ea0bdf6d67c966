import { limits, SluiceError } from '../base/mod.ts';
import { type Digest, verifyDigest } from './digest.ts';
import { type Descriptor, type IndexEntry, indexEntries, parseJsonObject } from './documents.ts';
import type { ImageSource, ManifestBytes } from './image-source.ts';
import type { LayoutFiles } from './layout-files.ts';
import { type Platform, platformCandidates } from './platform.ts';
import type { LayoutReference } from './reference.ts';

const REF_NAME = 'org.opencontainers.image.ref.name';
/** What containerd and `docker save` write besides: the full reference. */
const IMAGE_NAME = 'io.containerd.image.name';

/** An OCI image layout (image-spec, image-layout.md). */
export class LayoutSource implements ImageSource {
  readonly name: string;
  readonly layersHaveDigests = true;
  readonly #files: LayoutFiles;
  readonly #reference: LayoutReference;

  constructor(files: LayoutFiles, reference: LayoutReference) {
    this.name = files.name;
    this.#files = files;
    this.#reference = reference;
  }

  async root(platform: Platform): Promise<ManifestBytes> {
    const where = `${this.name}: index.json`;
    const { digest } = this.#reference;
    const bytes = await this.#files.read('index.json', limits.image.manifestBytes);
    const entries = indexEntries(parseJsonObject(bytes, where), where);
    // A platform's manifest is named by an index in a blob, and not by index.json.
    if (digest !== undefined && !entries.some((entry) => entry.digest === digest)) {
      return { digest, bytes: await this.#document(digest, limits.image.manifestBytes) };
    }
    return this.manifest(this.#choose(entries, platform));
  }

  async manifest(descriptor: Descriptor): Promise<ManifestBytes> {
    const bytes = await this.#document(descriptor.digest, limits.image.manifestBytes);
    return { bytes, digest: descriptor.digest, mediaType: descriptor.mediaType };
  }

  config(descriptor: Descriptor): Promise<Buffer> {
    return this.#document(descriptor.digest, limits.image.configBytes);
  }

  layer(descriptor: Descriptor, _index: number, signal?: AbortSignal): AsyncIterable<Buffer> {
    return this.#files.open(blobPath(descriptor.digest), signal);
  }

  close(): Promise<void> {
    return this.#files.close();
  }

  async #document(digest: Digest, limitBytes: number): Promise<Buffer> {
    const bytes = await this.#files.read(blobPath(digest), limitBytes);
    verifyDigest(bytes, digest, `${this.name}: ${blobPath(digest)}`);
    return bytes;
  }

  #choose(entries: readonly IndexEntry[], platform: Platform): IndexEntry {
    const { tag, digest } = this.#reference;
    const named = entries.filter(
      (entry) =>
        (digest === undefined || entry.digest === digest) &&
        (tag === undefined ||
          entry.annotations[REF_NAME] === tag ||
          entry.annotations[IMAGE_NAME] === tag),
    );
    if (named.length === 1) return named[0]!;
    const tags = [...new Set(entries.map((entry) => entry.annotations[REF_NAME]))];
    const known = tags.filter((each) => each !== undefined).join(', ') || 'none';
    if (named.length === 0) {
      throw new SluiceError(
        'IMAGE_NOT_FOUND',
        `${this.name}: no image ${tag ?? digest ?? ''} in index.json; its tags: ${known}`,
        { data: { tags: known } },
      );
    }
    const oneImage = new Set(named.map((entry) => entry.annotations[REF_NAME])).size === 1;
    if (oneImage) return platformCandidates(named, platform, `${this.name}: index.json`)[0];
    throw new SluiceError(
      'IMAGE_REFERENCE_INVALID',
      `${this.name}: it holds several images; name one by its tag: ${known}`,
      { data: { tags: known } },
    );
  }
}

/** Safe to join to a path: the digest's form was checked when its descriptor was read. */
function blobPath(digest: Digest): string {
  return `blobs/${digest.replace(':', '/')}`;
}
