import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createDecipheriv, createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { hostHas } from '../../test/support/host.ts';
import type { Random } from '../base/mod.ts';
import {
  chunkSalt,
  openManifest,
  readManifestHeader,
  sealChunk,
  sealManifest,
  unwrapKey,
  wrapKey,
} from './mod.ts';

interface Vectors {
  salts: {
    dedupSecret: string;
    rootId: string;
    epoch: number;
    scope: 'region' | { accountId: string };
    placement: string;
    salt: string;
  }[];
  chunks: {
    salt: string;
    plaintextBytes: number;
    key: string;
    name: string;
    ciphertextStart: string;
  }[];
  wraps: { wrappingKey: string; key: string; binding: string[]; nonce: string; wrapped: string }[];
  manifests: {
    manifestId: string;
    rootId: string;
    accountId: string;
    createdAtMs: number;
    kind: 'disk' | 'memory';
    diskBytes: number;
    chunkSizeBytes: number;
    keyId: string;
    dataKey: string;
    chunks: ({ name: string; key: string } | null)[];
    metadata: Record<string, unknown>;
    manifest: string;
  }[];
}

const file = new URL('./vectors.json', import.meta.url);
const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vectors;
const hex = (text: string) => Buffer.from(text, 'hex');
const [wrapVector] = vectors.wraps as [Vectors['wraps'][0]];

/** The plaintext of a chunk vector. */
function patternOf(length: number): Buffer {
  const pattern = Buffer.alloc(length);
  for (let i = 0; i < length; i++) pattern[i] = (7 * i + (i >> 8)) & 255;
  return pattern;
}

/** Random bytes that are not: the vectors' nonce. */
const nonceOf = (nonce: string): Random => ({
  bytes: () => hex(nonce),
  uuid: () => assert.fail('no vector needs an id'),
  float: () => assert.fail('no vector needs a number'),
});

test('salts are those of the vectors', () => {
  for (const { dedupSecret, salt, ...parts } of vectors.salts) {
    assert.equal(chunkSalt(hex(dedupSecret), parts).toString('hex'), salt);
  }
});

test('chunks are those of the vectors', () => {
  for (const vector of vectors.chunks) {
    const sealed = sealChunk(hex(vector.salt), patternOf(vector.plaintextBytes));
    assert.equal(sealed.key.toString('hex'), vector.key);
    assert.equal(sealed.name, vector.name);
    assert.equal(sealed.ciphertext.subarray(0, 32).toString('hex'), vector.ciphertextStart);
  }
});

/** Runs OpenSSL's own program on some bytes. */
function openssl(input: Buffer, ...words: string[]): Buffer {
  const options = { input, maxBuffer: 1 << 21, stdio: ['pipe', 'pipe', 'ignore'] as never };
  return execFileSync('openssl', words, options);
}

test('OpenSSL, asked step by step, makes the chunks of the vectors', (t) => {
  if (!hostHas(t, 'tool:openssl')) return;
  for (const vector of vectors.chunks) {
    const plaintext = patternOf(vector.plaintextBytes);
    const digest = openssl(plaintext, 'dgst', '-sha256', '-binary');
    const mac = ['-mac', 'HMAC', '-macopt', `hexkey:${vector.salt}`];
    const key = openssl(digest, 'dgst', '-sha256', ...mac, '-binary').toString('hex');
    assert.equal(key, vector.key);
    const ciphertext = openssl(plaintext, 'enc', '-aes-256-ctr', '-K', key, '-iv', '0'.repeat(32));
    const name = openssl(ciphertext, 'dgst', '-sha256', '-binary').toString('hex');
    assert.equal(name, vector.name);
  }
});

test('wrapped keys are those of the vectors', () => {
  for (const { wrappingKey, key, binding, nonce, wrapped } of vectors.wraps) {
    const random = nonceOf(nonce);
    assert.deepEqual(wrapKey(hex(wrappingKey), hex(key), binding, random), hex(wrapped));
    assert.deepEqual(unwrapKey(hex(wrappingKey), hex(wrapped), binding, 'key'), hex(key));
  }
});

test('manifests are those of the vectors, written and read', async () => {
  for (const vector of vectors.manifests) {
    const { manifest, dataKey, keyId, chunks, ...facts } = vector;
    const keys = {
      generateDataKey: async () => ({
        keyId,
        plaintext: hex(dataKey),
        wrapped: hex(wrapVector.wrapped),
      }),
      unwrapDataKey: () => assert.fail('not asked for'),
      rewrapDataKey: () => assert.fail('not asked for'),
    };
    const contents = {
      ...facts,
      chunks: chunks
        .map((each) => each ?? undefined)
        .map((each) => each && { name: each.name, key: hex(each.key) }),
    };
    const sealed = await sealManifest(contents, keys, nonceOf(wrapVector.nonce));
    assert.equal(sealed.toString('hex'), manifest);
    const opened = openManifest(hex(manifest), hex(dataKey));
    assert.equal(readManifestHeader(hex(manifest)).keyId, keyId);
    assert.deepEqual(opened.metadata, vector.metadata);
    chunks.forEach((chunk, index) => {
      assert.equal(opened.chunkName(index), chunk?.name);
      if (chunk) assert.equal(opened.chunkKey(index).toString('hex'), chunk.key);
    });
  }
});

/** Reads a manifest by the offsets of docs/design/manifest.md alone, with none of our code. */
test('the document alone suffices to read a manifest', () => {
  for (const vector of vectors.manifests) {
    const bytes = hex(vector.manifest);
    const body = bytes.subarray(0, -32);
    assert.deepEqual(createHash('sha256').update(body).digest(), bytes.subarray(-32));
    assert.equal(bytes.toString('latin1', 0, 8), 'SLUICE-M');
    assert.equal(bytes.readUInt16BE(8), 1);
    assert.equal(bytes[10], vector.kind === 'disk' ? 1 : 2);
    assert.equal(bytes.readUInt32BE(12), vector.chunkSizeBytes);
    const count = bytes.readUInt32BE(16);
    const stored = bytes.readUInt32BE(20);
    assert.equal(bytes.readBigUInt64BE(24), BigInt(vector.diskBytes));
    assert.equal(bytes.readBigUInt64BE(32), BigInt(vector.createdAtMs));
    const ids = vector.manifestId + vector.rootId + vector.accountId;
    assert.equal(bytes.toString('latin1', 64, 64 + ids.length), ids);
    const bitmapAt = 64 + (bytes[40] ?? 0) + (bytes[41] ?? 0) + (bytes[42] ?? 0);
    const namesAt = bitmapAt + Math.ceil(count / 8);
    const nonceAt = namesAt + 32 * stored;
    const tagAt = nonceAt + 12 + 32 * stored + bytes.readUInt32BE(44);
    const nonce = bytes.subarray(nonceAt, nonceAt + 12);
    const gcm = createDecipheriv('aes-256-gcm', hex(vector.dataKey), nonce);
    gcm.setAAD(bytes.subarray(0, nonceAt)).setAuthTag(bytes.subarray(tagAt, tagAt + 16));
    const ciphertext = bytes.subarray(nonceAt + 12, tagAt);
    const secret = Buffer.concat([gcm.update(ciphertext), gcm.final()]);
    let slot = 0;
    vector.chunks.forEach((chunk, i) => {
      assert.equal((bytes.readUInt8(bitmapAt + (i >> 3)) >> (i & 7)) & 1, chunk ? 1 : 0);
      if (!chunk) return;
      const at = 32 * slot++;
      assert.equal(bytes.toString('hex', namesAt + at, namesAt + at + 32), chunk.name);
      assert.equal(secret.toString('hex', at, at + 32), chunk.key);
    });
    assert.deepEqual(JSON.parse(secret.toString('utf8', 32 * stored)), vector.metadata);
    const keyIdBytes = bytes.readUInt16BE(tagAt + 16);
    const keyIdAt = tagAt + 20;
    assert.equal(bytes.toString('utf8', keyIdAt, keyIdAt + keyIdBytes), vector.keyId);
    const wrapped = body.subarray(keyIdAt + keyIdBytes);
    assert.equal(wrapped.length, bytes.readUInt16BE(tagAt + 18));
    assert.equal(wrapped.toString('hex'), wrapVector.wrapped);
  }
});
