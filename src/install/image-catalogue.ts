import { CHUNK_SIZE_BYTES } from '../base/mod.ts';
import type { ManifestSource, RootSource } from '../origin/mod.ts';
import { type ManifestHeader, readManifestHeader } from '../seal/mod.ts';

/** What anybody without keys can say of a stored image. */
export interface ImageFacts {
  readonly manifestId: string;
  readonly account: string;
  readonly root: string;
  readonly createdAt: string;
  readonly diskBytes: number;
  readonly chunks: number;
  readonly zeroChunks: number;
  /** Bytes of its own distinct chunks in the origin. */
  readonly storedBytes: number;
  /** Of those, the bytes that at least one other image of the same root names too. */
  readonly sharedBytes: number;
  readonly manifestBytes: number;
  readonly keyId: string;
}

interface StoredManifest {
  readonly rootId: string;
  readonly bytes: number;
  readonly header: ManifestHeader;
}

type ImageStore = ManifestSource & RootSource;

/** The images of an origin, read from their manifests' clear part; no key service is involved. */
export class ImageCatalogue {
  readonly #store: ImageStore;

  constructor(store: ImageStore) {
    this.#store = store;
  }

  async list(): Promise<ImageFacts[]> {
    const facts: ImageFacts[] = [];
    for (const rootId of await this.#roots()) {
      const uses = new Map<string, number>();
      const stored: StoredManifest[] = [];
      for await (const manifest of this.#manifests(rootId)) {
        stored.push(manifest);
        for (const name of new Set(manifest.header.names()))
          uses.set(name, (uses.get(name) ?? 0) + 1);
      }
      facts.push(...stored.map((each) => factsOf(each, (name) => (uses.get(name) ?? 0) > 1)));
    }
    return facts.sort((a, b) => a.createdAt.localeCompare(b.createdAt));
  }

  /** Rejects with `MANIFEST_NOT_FOUND`. Holds only the one image's names, whatever the others'. */
  async inspect(manifestId: string): Promise<ImageFacts> {
    const { bytes, rootId } = await this.#store.findManifest(manifestId);
    const header = readManifestHeader(bytes);
    const own = new Set(header.names());
    const shared = new Set<string>();
    for await (const other of this.#manifests(rootId)) {
      if (other.header.manifestId === manifestId) continue;
      for (const name of other.header.names()) if (own.has(name)) shared.add(name);
    }
    return factsOf({ rootId, bytes: bytes.length, header }, (name) => shared.has(name));
  }

  async #roots(): Promise<string[]> {
    const roots = await this.#store.listRoots();
    const readable = roots.filter(({ state }) => state === 'active' || state === 'retired');
    return readable.map(({ rootId }) => rootId);
  }

  async *#manifests(rootId: string): AsyncIterable<StoredManifest> {
    for await (const manifestId of this.#store.listManifests(rootId)) {
      const bytes = await this.#store.getManifest(rootId, manifestId);
      yield { rootId, bytes: bytes.length, header: readManifestHeader(bytes) };
    }
  }
}

function factsOf(stored: StoredManifest, isShared: (name: string) => boolean): ImageFacts {
  const { header, rootId } = stored;
  const names = new Set(header.names());
  let sharedChunks = 0;
  for (const name of names) if (isShared(name)) sharedChunks++;
  return {
    manifestId: header.manifestId,
    account: header.accountId,
    root: rootId,
    createdAt: new Date(header.createdAtMs).toISOString(),
    diskBytes: header.diskBytes,
    chunks: header.chunkCount,
    zeroChunks: header.chunkCount - header.storedChunkCount,
    storedBytes: names.size * CHUNK_SIZE_BYTES,
    sharedBytes: sharedChunks * CHUNK_SIZE_BYTES,
    manifestBytes: stored.bytes,
    keyId: header.keyId,
  };
}
