import { assert, CHUNK_SIZE_BYTES, limits, type Random } from '../base/mod.ts';
import { aeadSeal, NONCE_BYTES } from './aead.ts';
import type { ChunkName } from './chunk.ts';
import type { GeneratedDataKey, KeyService } from './key-service.ts';
import {
  decodeManifest,
  encodeClear,
  encodeWhole,
  HASH_BYTES,
  type ManifestKind,
} from './manifest-format.ts';

/** A chunk's place in a manifest; `undefined` in its stead is a zero chunk, which is not stored. */
export interface ManifestChunk {
  readonly name: ChunkName;
  readonly key: Buffer;
}

/** JSON-able facts about the disk (image digest, reference, config); sealed, for configs hold secrets. */
export type ManifestMetadata = Readonly<Record<string, unknown>>;

export interface ManifestContents {
  readonly manifestId: string;
  readonly rootId: string;
  readonly accountId: string;
  /** `disk` when left out. */
  readonly kind?: ManifestKind;
  readonly diskBytes: number;
  /** 512 KiB when left out. */
  readonly chunkSizeBytes?: number;
  readonly createdAtMs: number;
  readonly chunks: readonly (ManifestChunk | undefined)[];
  readonly metadata: ManifestMetadata;
}

/**
 * The bytes of a manifest: names in clear, keys and metadata under a fresh data key that the
 * account's key wraps, all of it authenticated (ATC'23 section 3.1; docs/design/manifest.md).
 */
export async function sealManifest(
  contents: ManifestContents,
  keyService: KeyService,
  random: Random,
): Promise<Buffer> {
  const { accountId, manifestId } = contents;
  const dataKey = await keyService.generateDataKey({ accountId, manifestId });
  const bytes = sealUnder(contents, dataKey, random);
  dataKey.plaintext.fill(0);
  return bytes;
}

/** The same under a key that is there already. */
export function sealUnder(
  contents: ManifestContents,
  dataKey: GeneratedDataKey,
  random: Random,
): Buffer {
  const { manifestId, rootId, accountId, chunks } = contents;
  const chunkSizeBytes = contents.chunkSizeBytes ?? CHUNK_SIZE_BYTES;
  assert(chunks.length <= limits.manifest.chunks, 'a manifest holds a limited number of chunks');
  assert(
    chunks.length === Math.ceil(contents.diskBytes / chunkSizeBytes),
    'the chunks cover the disk',
  );
  const stored = chunks.filter((chunk) => chunk !== undefined);
  const metadata = Buffer.from(JSON.stringify(contents.metadata), 'utf8');
  const facts = {
    manifestId,
    rootId,
    accountId,
    kind: contents.kind ?? 'disk',
    diskBytes: contents.diskBytes,
    chunkSizeBytes,
    chunkCount: chunks.length,
    storedChunkCount: stored.length,
    createdAtMs: contents.createdAtMs,
  } as const;
  const names = table(stored, (chunk) => Buffer.from(chunk.name, 'hex'));
  const clear = encodeClear(facts, bitmapOf(chunks), names, metadata.length);
  const secret = Buffer.concat([table(stored, (chunk) => chunk.key), metadata]);
  const nonce = random.bytes(NONCE_BYTES);
  const sealed = aeadSeal(dataKey.plaintext, nonce, secret, clear);
  secret.fill(0);
  return encodeWhole(clear, nonce, sealed, dataKey.keyId, dataKey.wrapped);
}

/**
 * The same manifest with its data key wrapped under the account's present key: what rotating a
 * key does to each manifest. Neither chunks nor the sealed part change.
 */
export async function rewrapManifest(bytes: Buffer, keyService: KeyService): Promise<Buffer> {
  const { facts, clear, nonce, sealed, keyId, wrappedKey } = decodeManifest(bytes);
  const rewrapped = await keyService.rewrapDataKey({ keyId, wrapped: wrappedKey }, facts);
  return encodeWhole(clear, nonce, sealed, rewrapped.keyId, rewrapped.wrapped);
}

function bitmapOf(chunks: readonly (ManifestChunk | undefined)[]): Buffer {
  const bitmap = Buffer.alloc(Math.ceil(chunks.length / 8));
  chunks.forEach((chunk, index) => {
    if (chunk) bitmap[index >> 3] = (bitmap[index >> 3] as number) | (1 << (index & 7));
  });
  return bitmap;
}

function table(chunks: readonly ManifestChunk[], field: (chunk: ManifestChunk) => Buffer): Buffer {
  const out = Buffer.alloc(chunks.length * HASH_BYTES);
  chunks.forEach((chunk, index) => {
    const bytes = field(chunk);
    assert(bytes.length === HASH_BYTES, 'a name and a key have 32 bytes each');
    bytes.copy(out, index * HASH_BYTES);
  });
  return out;
}
