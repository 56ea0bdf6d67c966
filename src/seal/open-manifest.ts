import { assert, SluiceError } from '../base/mod.ts';
import { aeadOpen } from './aead.ts';
import type { ChunkName } from './chunk.ts';
import type { DataKeyContext, KeyService, WrappedDataKey } from './key-service.ts';
import {
  decodeManifest,
  HASH_BYTES,
  isStored,
  type ManifestFacts,
  type ManifestParts,
} from './manifest-format.ts';
import type { ManifestMetadata } from './seal-manifest.ts';

/** What anyone may read of a manifest: garbage collection and `image inspect` need no more. */
export interface ManifestHeader extends ManifestFacts {
  /** The key that wraps the data key. */
  readonly keyId: string;
  /** The stored chunks' names in disk order, with repetitions. */
  names(): Iterable<ChunkName>;
  /** Each stored chunk's place on the disk and its name, in disk order. */
  storedChunks(): Iterable<readonly [index: number, name: ChunkName]>;
}

/** An opened manifest: two flat tables, however many chunks it has. Holds keys: never log it. */
export interface Manifest extends ManifestFacts {
  readonly metadata: ManifestMetadata;
  /** `undefined` for a zero chunk. `index` counts from 0 to `chunkCount`. */
  chunkName(index: number): ChunkName | undefined;
  /** A view of the key table; a zero chunk has no key and is a defect to ask for. */
  chunkKey(index: number): Buffer;
  /** Overwrites the keys; the manifest cannot be used afterwards. */
  wipe(): void;
}

/**
 * Reads a manifest without any key. The digest rules out damage, not forgery.
 * Throws `MANIFEST_MALFORMED` or `MANIFEST_VERSION_UNKNOWN`.
 */
export function readManifestHeader(bytes: Buffer): ManifestHeader {
  const { facts, names, keyId, bitmap } = decodeManifest(bytes);
  return {
    ...facts,
    keyId,
    names: () => hexNames(names),
    storedChunks: () => placedNames(facts.chunkCount, bitmap, names),
  };
}

/** A manifest's data key as it rests there, and what it is bound to. */
export function wrappedDataKey(bytes: Buffer): {
  readonly key: WrappedDataKey;
  readonly context: DataKeyContext;
} {
  const { facts, keyId, wrappedKey } = decodeManifest(bytes);
  const { accountId, manifestId } = facts;
  return { key: { keyId, wrapped: wrappedKey }, context: { accountId, manifestId } };
}

/** The data key of a manifest; rejects with the key service's errors. */
export async function unwrapDataKey(bytes: Buffer, keyService: KeyService): Promise<Buffer> {
  const { key, context } = wrappedDataKey(bytes);
  return await keyService.unwrapDataKey(key, context);
}

/**
 * Authenticates a manifest and decrypts its key table. Throws `MANIFEST_TAMPERED` when the data key
 * is not its own or anything in it was changed, besides `readManifestHeader`'s errors.
 */
export function openManifest(bytes: Buffer, dataKey: Buffer): Manifest {
  const parts = decodeManifest(bytes);
  const { facts } = parts;
  const secret = aeadOpen(dataKey, parts.nonce, parts.sealed, parts.clear);
  if (!secret) {
    throw new SluiceError(
      'MANIFEST_TAMPERED',
      `${facts.manifestId}: the manifest does not open with its data key; it was altered`,
      { data: { manifestId: facts.manifestId } },
    );
  }
  const keyTableBytes = facts.storedChunkCount * HASH_BYTES;
  const keys = secret.subarray(0, keyTableBytes);
  const metadata = JSON.parse(secret.toString('utf8', keyTableBytes)) as ManifestMetadata;
  return manifestOf(parts, keys, metadata);
}

function manifestOf(parts: ManifestParts, keys: Buffer, metadata: ManifestMetadata): Manifest {
  const { facts } = parts;
  const names = Buffer.from(parts.names);
  const slots = slotsOf(parts);
  const slotOf = (index: number): number => {
    assert(index >= 0 && index < facts.chunkCount, `a disk has no chunk ${index}`);
    return slots[index] as number;
  };
  return {
    ...facts,
    metadata,
    chunkName: (index) => {
      const slot = slotOf(index);
      if (slot < 0) return undefined;
      return names.toString('hex', slot * HASH_BYTES, (slot + 1) * HASH_BYTES);
    },
    chunkKey: (index) => {
      const slot = slotOf(index);
      assert(slot >= 0, 'a zero chunk has no key');
      return keys.subarray(slot * HASH_BYTES, (slot + 1) * HASH_BYTES);
    },
    wipe: () => {
      keys.fill(0);
    },
  };
}

/** Each chunk's row in the tables, -1 for a zero chunk. */
function slotsOf({ facts, bitmap }: ManifestParts): Int32Array {
  const slots = new Int32Array(facts.chunkCount).fill(-1);
  let next = 0;
  for (let index = 0; index < slots.length; index++) {
    if (isStored(bitmap, index)) slots[index] = next++;
  }
  return slots;
}

function* placedNames(
  chunkCount: number,
  bitmap: Buffer,
  names: Buffer,
): Iterable<readonly [number, ChunkName]> {
  const each = hexNames(names)[Symbol.iterator]();
  for (let index = 0; index < chunkCount; index++) {
    if (isStored(bitmap, index)) yield [index, each.next().value as ChunkName];
  }
}

function* hexNames(names: Buffer): Iterable<ChunkName> {
  for (let at = 0; at < names.length; at += HASH_BYTES) {
    yield names.toString('hex', at, at + HASH_BYTES);
  }
}
