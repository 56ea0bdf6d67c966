import { type Counter, isSluiceError, type Meter, SluiceError } from '../base/mod.ts';
import {
  type ChunkName,
  type ChunkRef,
  type PutOutcome,
  packIdOf,
  readManifestHeader,
  verifyChunk,
} from '../seal/mod.ts';
import type { DamageBook } from './damage-book.ts';
import type { ObjectStore } from './object-store.ts';

const NAME = /^[0-9a-f]{64}$/;
const MANIFEST_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Chunks and manifests below `roots/<root>/`, told apart from what their names promise. */
export class ChunkShelf {
  readonly #objects: ObjectStore;
  readonly #damage: DamageBook;
  readonly #puts: Counter;
  readonly #gets: Counter;
  readonly #corrupt: Counter;

  constructor(objects: ObjectStore, damage: DamageBook, meter: Meter) {
    this.#objects = objects;
    this.#damage = damage;
    this.#puts = meter.counter(
      'sluice_origin_chunk_puts_total',
      'Chunks put, by outcome: stored, present already (deduplicated), or healed.',
      ['outcome'],
    );
    this.#gets = meter.counter(
      'sluice_origin_chunk_gets_total',
      'Chunks got, by outcome: ok, missing, corrupt.',
      ['outcome'],
    );
    this.#corrupt = meter.counter(
      'sluice_origin_corrupt_total',
      'Stored objects that were not what their name promises, by kind.',
      ['kind'],
    );
  }

  /** Throws `CHUNK_CORRUPT` for bytes that are not the chunk; they may have been hit in memory. */
  async put(ref: ChunkRef, ciphertext: Buffer): Promise<PutOutcome> {
    const key = chunkKey(ref);
    if (!verifyChunk(ref.name, ciphertext)) {
      throw corrupt(ref, 'the bytes to be stored are not the chunk of this name; add it once more');
    }
    const outcome = await this.#objects.putIfAbsent(key, ciphertext);
    const heal = outcome === 'present' && (await this.#damage.has(ref));
    this.#puts.add(1, { outcome: heal ? 'healed' : outcome });
    if (!heal) return outcome;
    await this.#objects.replace(key, ciphertext);
    await this.#damage.healed(ref);
    return 'stored';
  }

  async get(ref: ChunkRef, signal?: AbortSignal): Promise<Buffer> {
    const key = chunkKey(ref);
    let ciphertext = await this.#objects.get(key, signal);
    // Bytes may be damaged on their way as well as where they rest: ask once more, then believe it.
    if (ciphertext && !verifyChunk(ref.name, ciphertext)) {
      this.#corrupt.add(1, { kind: 'chunk' });
      ciphertext = await this.#objects.get(key, signal);
      if (ciphertext && !verifyChunk(ref.name, ciphertext)) {
        this.#gets.add(1, { outcome: 'corrupt' });
        await this.#damage.note(ref);
        throw corrupt(ref, 'the stored bytes are not the chunk of this name; add the image again');
      }
    }
    this.#gets.add(1, { outcome: ciphertext ? 'ok' : 'missing' });
    if (ciphertext) return ciphertext;
    throw new SluiceError('CHUNK_MISSING', `${key}: no such chunk in the origin`, {
      data: { rootId: ref.rootId, chunk: ref.name },
    });
  }

  /** The same where the bytes are near; a chunk that is not right is left for `get` to report. */
  readIntoSync(ref: ChunkRef, into: Buffer): boolean {
    return this.#isChunk(ref, into, this.#objects.readIntoSync?.(chunkKey(ref), into));
  }

  async readInto(ref: ChunkRef, into: Buffer): Promise<boolean> {
    return this.#isChunk(ref, into, await this.#objects.readInto?.(chunkKey(ref), into));
  }

  #isChunk({ name }: ChunkRef, bytes: Buffer, readBytes: number | undefined): boolean {
    if (readBytes !== bytes.length || !verifyChunk(name, bytes)) return false;
    this.#gets.add(1, { outcome: 'ok' });
    return true;
  }

  async *list(rootId: string): AsyncIterable<ChunkName> {
    for await (const key of this.#objects.list(`roots/${rootId}/chunks/`)) {
      const name = key.slice(key.lastIndexOf('/') + 1);
      if (NAME.test(name)) yield name;
    }
  }

  /** Chunks first, so that the manifest never outlasts a power failure that they do not. */
  async putManifest(rootId: string, manifestId: string, bytes: Buffer): Promise<PutOutcome> {
    const header = readManifestHeader(bytes);
    if (header.manifestId !== manifestId) throw otherManifest(rootId, manifestId);
    const names = new Set(header.names());
    await this.#objects.settle([...names].map((name) => chunkKey({ rootId, name })));
    const key = manifestKey(rootId, manifestId);
    const outcome = await this.#objects.putIfAbsent(key, bytes);
    await this.#objects.settle([key]);
    return outcome;
  }

  async replaceManifest(rootId: string, manifestId: string, bytes: Buffer): Promise<void> {
    await this.#objects.replace(manifestKey(rootId, manifestId), bytes);
  }

  /** `undefined` when there is none; throws when what is there is not that manifest. */
  async getManifest(rootId: string, manifestId: string): Promise<Buffer | undefined> {
    const bytes = await this.#objects.get(manifestKey(rootId, manifestId));
    if (!bytes) return undefined;
    try {
      if (readManifestHeader(bytes).manifestId === manifestId) return bytes;
    } catch (error) {
      this.#corrupt.add(1, { kind: 'manifest' });
      throw error;
    }
    this.#corrupt.add(1, { kind: 'manifest' });
    throw otherManifest(rootId, manifestId);
  }

  async putPack(rootId: string, manifestId: string, bytes: Buffer): Promise<void> {
    const header = readManifestHeader(bytes);
    if (header.manifestId !== packIdOf(manifestId)) throw otherManifest(rootId, manifestId);
    const names = new Set(header.names());
    await this.#objects.settle([...names].map((name) => chunkKey({ rootId, name })));
    await this.#objects.replace(packKeyOf(rootId, manifestId), bytes);
  }

  /** `undefined` also when what is there is not that manifest's pack. */
  async getPack(rootId: string, manifestId: string): Promise<Buffer | undefined> {
    const bytes = await this.#objects.get(packKeyOf(rootId, manifestId));
    if (!bytes) return undefined;
    try {
      if (readManifestHeader(bytes).manifestId === packIdOf(manifestId)) return bytes;
    } catch (error) {
      if (!isSluiceError(error)) throw error;
    }
    this.#corrupt.add(1, { kind: 'pack' });
    return undefined;
  }

  async *listManifests(rootId: string): AsyncIterable<string> {
    const prefix = `roots/${rootId}/manifests/`;
    for await (const key of this.#objects.list(prefix)) {
      const id = key.slice(prefix.length);
      if (MANIFEST_ID.test(id)) yield id;
    }
  }

  async removeManifest(rootId: string, manifestId: string): Promise<void> {
    await this.#objects.remove([manifestKey(rootId, manifestId), packKeyOf(rootId, manifestId)]);
  }

  async pin(manifestId: string): Promise<void> {
    const key = pinKey(manifestId);
    await this.#objects.putIfAbsent(key, Buffer.from('{}'));
    await this.#objects.settle([key]);
  }

  async unpin(manifestId: string): Promise<void> {
    await this.#objects.remove([pinKey(manifestId)]);
  }

  async *pins(): AsyncIterable<string> {
    for await (const key of this.#objects.list('pins/')) yield key.slice('pins/'.length);
  }

  async usage(rootId: string): Promise<{ manifests: number; chunks: number; bytes: number }> {
    const manifests = await this.#objects.usage(`roots/${rootId}/manifests/`);
    const packs = await this.#objects.usage(`roots/${rootId}/packs/`);
    const chunks = await this.#objects.usage(`roots/${rootId}/chunks/`);
    return {
      manifests: manifests.objects,
      chunks: chunks.objects,
      bytes: manifests.bytes + packs.bytes + chunks.bytes,
    };
  }

  /** Manifests before any chunk: while one stands, so do all its chunks. */
  async removeBatch(rootId: string, objectsMax: number): Promise<number> {
    const batch: string[] = [];
    for (const kind of ['manifests', 'packs', 'chunks', 'damaged']) {
      for await (const key of this.#objects.list(`roots/${rootId}/${kind}/`)) {
        if (batch.length >= objectsMax) break;
        batch.push(key);
      }
    }
    await this.#objects.remove(batch);
    return batch.length;
  }
}

function corrupt(ref: ChunkRef, what: string): SluiceError {
  const data = { rootId: ref.rootId, chunk: ref.name };
  return new SluiceError('CHUNK_CORRUPT', `${chunkKey(ref)}: ${what}`, { data });
}

/** Fans out over 256 folders: a million chunks are 4,000 to a folder. */
function chunkKey({ rootId, name }: ChunkRef): string {
  if (!NAME.test(name)) {
    throw new SluiceError('CHUNK_MISSING', `${name}: not the name of a chunk`, { data: { name } });
  }
  return `roots/${rootId}/chunks/${name.slice(0, 2)}/${name}`;
}

function manifestKey(rootId: string, manifestId: string): string {
  return `roots/${rootId}/manifests/${checkManifestId(manifestId)}`;
}

function packKeyOf(rootId: string, manifestId: string): string {
  return `roots/${rootId}/packs/${checkManifestId(manifestId)}`;
}

function pinKey(manifestId: string): string {
  return `pins/${checkManifestId(manifestId)}`;
}

function checkManifestId(manifestId: string): string {
  if (MANIFEST_ID.test(manifestId)) return manifestId;
  throw new SluiceError('MANIFEST_NOT_FOUND', `${manifestId}: not the id of a manifest`);
}

function otherManifest(rootId: string, manifestId: string): SluiceError {
  return new SluiceError(
    'MANIFEST_TAMPERED',
    `${manifestKey(rootId, manifestId)}: the bytes are another manifest's`,
    { data: { rootId, manifestId } },
  );
}
