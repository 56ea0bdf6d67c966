import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hash,
  type KeyObject,
} from 'node:crypto';
import { assert, KIB } from '../base/mod.ts';
import type { ChunkName } from './chunk.ts';

const BLOCK_BYTES = 16;
const CIPHER = 'aes-256-ctr';
/** A key encrypts one plaintext only, so that the counter may start at zero (ATC'23 section 3.1). */
const ZERO_IV = Buffer.alloc(BLOCK_BYTES);
/** Node's ciphers answer with a fresh Buffer; past about 128 KiB its allocation costs a page walk. */
const PIECE_BYTES = 64 * KIB;

export interface SealedChunk {
  readonly name: ChunkName;
  /** 32 bytes; belongs into the manifest's sealed key table and nowhere else. */
  readonly key: Buffer;
  readonly ciphertext: Buffer;
}

/**
 * Convergent encryption of one chunk: equal plaintexts under equal salts give equal names.
 * key = HMAC-SHA256(salt, SHA-256(plaintext)); ciphertext = AES-256-CTR(key, zero IV);
 * name = SHA-256(ciphertext). Source: ATC'23 sections 3.1 and 3.3; docs/design/manifest.md.
 * The ciphertext is written into `into` when given, which must have the plaintext's length and
 * may be the plaintext itself.
 */
export function sealChunk(salt: Buffer, plaintext: Buffer, into?: Buffer): SealedChunk {
  assert(!into || into.length === plaintext.length, 'a ciphertext is as long as its plaintext');
  const key = createHmac('sha256', salt)
    .update(hash('sha256', plaintext, 'buffer'))
    .digest();
  const cipher = createCipheriv(CIPHER, fast(key), ZERO_IV);
  const ciphertext = into ?? cipher.update(plaintext);
  if (into) transform(cipher, plaintext, into);
  return { name: nameOf(ciphertext), key, ciphertext };
}

/** The name that a ciphertext must have. */
export function nameOf(ciphertext: Buffer): ChunkName {
  return hash('sha256', ciphertext, 'hex');
}

/** Are these bytes the chunk of that name? Made once, where bytes enter the process. */
export function verifyChunk(name: ChunkName, ciphertext: Buffer): boolean {
  return nameOf(ciphertext) === name;
}

/**
 * Decrypts `lengthBytes` from `offsetBytes` on, and nothing else, of a chunk whose name the caller
 * has verified. Offset and length need no alignment. Writes to the start of `into` when given.
 */
export function openRange(
  key: Buffer,
  ciphertext: Buffer,
  offsetBytes: number,
  lengthBytes: number,
  into?: Buffer,
): Buffer {
  const inRange = offsetBytes >= 0 && lengthBytes >= 0;
  assert(inRange && offsetBytes + lengthBytes <= ciphertext.length, 'the range is in the chunk');
  const decipher = createDecipheriv(
    CIPHER,
    fast(key),
    counterAt(Math.floor(offsetBytes / BLOCK_BYTES)),
  );
  const skippedBytes = offsetBytes % BLOCK_BYTES;
  if (skippedBytes > 0) decipher.update(ciphertext.subarray(0, skippedBytes));
  const source = ciphertext.subarray(offsetBytes, offsetBytes + lengthBytes);
  if (!into && lengthBytes <= PIECE_BYTES) return decipher.update(source);
  const plaintext = (into ?? Buffer.allocUnsafeSlow(lengthBytes)).subarray(0, lengthBytes);
  assert(plaintext.length === lengthBytes, 'the range fits into the buffer that was given');
  transform(decipher, source, plaintext);
  return plaintext;
}

/** A cipher made from a key object costs Node 10 µs, one made from the same bytes 25. */
function fast(key: Buffer): KeyObject {
  return createSecretKey(key);
}

/** The 128-bit big-endian counter block; a chunk has far fewer than 2^32 blocks. */
function counterAt(block: number): Buffer {
  const counter = Buffer.alloc(BLOCK_BYTES);
  counter.writeUInt32BE(block, BLOCK_BYTES - 4);
  return counter;
}

function transform(cipher: { update(data: Buffer): Buffer }, from: Buffer, to: Buffer): void {
  for (let at = 0; at < from.length; at += PIECE_BYTES) {
    const piece = cipher.update(from.subarray(at, at + PIECE_BYTES));
    piece.copy(to, at);
    // Freed here: the collector sees small objects and not the memory that hangs on them, and lets
    // tens of megabytes gather in each thread.
    (piece.buffer as ArrayBuffer).transfer(0);
  }
}
