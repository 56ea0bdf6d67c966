import { hash } from 'node:crypto';
import { assert, limits, SluiceError } from '../base/mod.ts';
import { NONCE_BYTES, TAG_BYTES } from './aead.ts';

/** What a manifest's chunks hold. */
export type ManifestKind = 'disk' | 'memory' | 'pack';

/** The clear facts at a manifest's start; field by field in docs/design/manifest.md. */
export interface ManifestFacts {
  readonly manifestId: string;
  /** The root that it was sealed in; migration moves it on, so ask the origin where it rests. */
  readonly rootId: string;
  readonly accountId: string;
  readonly kind: ManifestKind;
  /** Bytes of the disk; the last chunk is padded with zeros to a whole one. */
  readonly diskBytes: number;
  readonly chunkSizeBytes: number;
  /** All chunks of the disk, zero chunks among them. */
  readonly chunkCount: number;
  /** Chunks with a name and a key, repetitions counted. */
  readonly storedChunkCount: number;
  readonly createdAtMs: number;
}

/** Where the parts of one manifest lie in its bytes. */
export interface ManifestParts {
  readonly facts: ManifestFacts;
  /** Header, ids, bitmap and names: what the tag authenticates besides the sealed part. */
  readonly clear: Buffer;
  /** One bit a chunk, least significant first; set = stored. */
  readonly bitmap: Buffer;
  /** 32 bytes for each stored chunk, in disk order. */
  readonly names: Buffer;
  readonly nonce: Buffer;
  /** AES-256-GCM over the key table and the metadata, tag behind. */
  readonly sealed: Buffer;
  readonly keyId: string;
  readonly wrappedKey: Buffer;
}

export const HASH_BYTES = 32;
const MAGIC = Buffer.from('SLUICE-M', 'latin1');
const VERSION = 1;
const HEADER_BYTES = 64;
const DIGEST_BYTES = 32;
const KINDS: readonly (ManifestKind | undefined)[] = [undefined, 'disk', 'memory', 'pack'];
const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Header, ids, bitmap and names. */
export function encodeClear(
  facts: ManifestFacts,
  bitmap: Buffer,
  names: Buffer,
  metadataBytes: number,
): Buffer {
  const ids = [facts.manifestId, facts.rootId, facts.accountId].map((id) => {
    assert(ID.test(id), `an id has 1 to 128 letters, digits, dots, dashes: ${id}`);
    return Buffer.from(id, 'latin1');
  });
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt16BE(VERSION, 8);
  header.writeUInt8(KINDS.indexOf(facts.kind), 10);
  header.writeUInt32BE(facts.chunkSizeBytes, 12);
  header.writeUInt32BE(facts.chunkCount, 16);
  header.writeUInt32BE(facts.storedChunkCount, 20);
  header.writeBigUInt64BE(BigInt(facts.diskBytes), 24);
  header.writeBigUInt64BE(BigInt(facts.createdAtMs), 32);
  for (const [index, id] of ids.entries()) header.writeUInt8(id.length, 40 + index);
  header.writeUInt32BE(metadataBytes, 44);
  return Buffer.concat([header, ...ids, bitmap, names]);
}

/** The clear part, the sealed part, the wrapped data key, and the SHA-256 of all of it. */
export function encodeWhole(
  clear: Buffer,
  nonce: Buffer,
  sealed: Buffer,
  keyId: string,
  wrappedKey: Buffer,
): Buffer {
  const id = Buffer.from(keyId, 'utf8');
  const lengths = Buffer.alloc(4);
  lengths.writeUInt16BE(id.length, 0);
  lengths.writeUInt16BE(wrappedKey.length, 2);
  const body = Buffer.concat([clear, nonce, sealed, lengths, id, wrappedKey]);
  return Buffer.concat([body, hash('sha256', body, 'buffer')]);
}

/**
 * Takes a manifest apart without any key. Throws `MANIFEST_MALFORMED` for bytes that are not one
 * or were damaged, `MANIFEST_VERSION_UNKNOWN` for a later version's. A digest that anyone can
 * compute does not stop a forger: only `openManifest` does.
 */
export function decodeManifest(bytes: Buffer): ManifestParts {
  const body = checkedBody(bytes);
  const version = body.readUInt16BE(8);
  if (version !== VERSION) {
    throw new SluiceError(
      'MANIFEST_VERSION_UNKNOWN',
      `manifest: version ${version} is not known, this program reads version ${VERSION}`,
      { data: { version } },
    );
  }
  const idsBytes = body.readUInt8(40) + body.readUInt8(41) + body.readUInt8(42);
  const chunkCount = body.readUInt32BE(16);
  const storedChunkCount = body.readUInt32BE(20);
  need(chunkCount <= limits.manifest.chunks && storedChunkCount <= chunkCount, 'chunk counts');
  const bitmapAt = HEADER_BYTES + idsBytes;
  const namesAt = bitmapAt + Math.ceil(chunkCount / 8);
  const clearEnd = namesAt + storedChunkCount * HASH_BYTES;
  const sealedAt = clearEnd + NONCE_BYTES;
  const sealedEnd = sealedAt + storedChunkCount * HASH_BYTES + body.readUInt32BE(44) + TAG_BYTES;
  need(sealedEnd + 4 <= body.length, 'length');
  const keyIdEnd = sealedEnd + 4 + body.readUInt16BE(sealedEnd);
  need(keyIdEnd + body.readUInt16BE(sealedEnd + 2) === body.length, 'length');
  const bitmap = body.subarray(bitmapAt, namesAt);
  need(countBits(bitmap, chunkCount) === storedChunkCount, 'bitmap');
  return {
    facts: decodeFacts(body, chunkCount, storedChunkCount),
    clear: body.subarray(0, clearEnd),
    bitmap,
    names: body.subarray(namesAt, clearEnd),
    nonce: body.subarray(clearEnd, sealedAt),
    sealed: body.subarray(sealedAt, sealedEnd),
    keyId: body.toString('utf8', sealedEnd + 4, keyIdEnd),
    wrappedKey: body.subarray(keyIdEnd),
  };
}

/** Every version starts with the magic and a version, and ends with the SHA-256 of the rest. */
function checkedBody(bytes: Buffer): Buffer {
  need(bytes.length >= HEADER_BYTES + DIGEST_BYTES, 'length');
  need(bytes.subarray(0, MAGIC.length).equals(MAGIC), 'magic');
  const body = bytes.subarray(0, bytes.length - DIGEST_BYTES);
  need(hash('sha256', body, 'buffer').equals(bytes.subarray(body.length)), 'digest');
  return body;
}

function decodeFacts(body: Buffer, chunkCount: number, storedChunkCount: number): ManifestFacts {
  let at = HEADER_BYTES;
  const [manifestId, rootId, accountId] = [40, 41, 42].map((field) => {
    const id = body.toString('latin1', at, at + body.readUInt8(field));
    at += id.length;
    need(ID.test(id), 'id');
    return id;
  }) as [string, string, string];
  const kind = KINDS[body.readUInt8(10)];
  const diskBytes = Number(body.readBigUInt64BE(24));
  const createdAtMs = Number(body.readBigUInt64BE(32));
  const chunkSizeBytes = body.readUInt32BE(12);
  const reserved = body.readUInt8(11) | body.readUInt8(43);
  need(reserved === 0 && body.subarray(48, HEADER_BYTES).every((byte) => byte === 0), 'reserved');
  need(kind !== undefined, 'kind');
  need(chunkSizeBytes > 0 && Math.ceil(diskBytes / chunkSizeBytes) === chunkCount, 'disk size');
  need(Number.isSafeInteger(createdAtMs), 'creation time');
  return {
    manifestId,
    rootId,
    accountId,
    kind: kind as ManifestKind,
    diskBytes,
    chunkSizeBytes,
    chunkCount,
    storedChunkCount,
    createdAtMs,
  };
}

/** Bits set among the first `count`; bits past them must be clear, so that one list has one form. */
function countBits(bitmap: Buffer, count: number): number {
  let set = 0;
  for (let index = 0; index < bitmap.length * 8; index++) {
    if (!isStored(bitmap, index)) continue;
    if (index >= count) return -1;
    set++;
  }
  return set;
}

export function isStored(bitmap: Buffer, index: number): boolean {
  return ((bitmap[index >> 3] as number) & (1 << (index & 7))) !== 0;
}

function need(condition: boolean, what: string): void {
  if (condition) return;
  throw new SluiceError(
    'MANIFEST_MALFORMED',
    `manifest: wrong ${what}; the stored bytes are damaged or not a manifest`,
    { data: { what } },
  );
}
