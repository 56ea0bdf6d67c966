import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { CHUNK_SIZE_BYTES, GIB, limits, SeededRandom } from '../base/mod.ts';
import { aeadOpen, aeadSeal } from './aead.ts';
import { decodeManifest } from './manifest-format.ts';
import {
  chunkSalt,
  type KeyService,
  type ManifestContents,
  openManifest,
  readManifestHeader,
  sealChunk,
  sealManifest,
} from './mod.ts';

const random = new SeededRandom(41);
const dataKey = random.bytes(32);
let given: Buffer | undefined;
const keys: KeyService = {
  generateDataKey: async () => {
    given = Buffer.from(dataKey);
    return { keyId: 'k1', plaintext: given, wrapped: Buffer.alloc(61, 9) };
  },
  unwrapDataKey: async () => Buffer.from(dataKey),
  rewrapDataKey: async (key) => key,
};
const chunk = () => ({ name: random.bytes(32).toString('hex'), key: random.bytes(32) });
const contents = (change: Partial<ManifestContents> = {}): ManifestContents => ({
  ...{ manifestId: 'm-1', rootId: 'r-1', accountId: '000000000000' },
  ...{ diskBytes: 10 * CHUNK_SIZE_BYTES, createdAtMs: 1_700_000_000_123, metadata: {} },
  chunks: [chunk(), undefined, ...Array.from({ length: 8 }, chunk)],
  ...change,
});
const seal = (change: Partial<ManifestContents> = {}) =>
  sealManifest(contents(change), keys, random);

/** The bytes after a change, with the digest that anybody can compute. */
function forged(bytes: Buffer, change: (body: Buffer) => unknown): Buffer {
  const body = Buffer.from(bytes.subarray(0, -32));
  const answer = change(body);
  const changed = Buffer.isBuffer(answer) ? answer : body;
  return Buffer.concat([changed, createHash('sha256').update(changed).digest()]);
}

test('a header that no sealer writes is refused, by what is wrong with it', async () => {
  const bytes = await seal();
  const idsBytes = 'm-1'.length + 'r-1'.length + '000000000000'.length;
  const bitmapAt = 64 + idsBytes;
  const wrong: [what: string, change: (body: Buffer) => unknown][] = [
    ['magic', (body) => body.write('sluice-m', 0)],
    ['kind', (body) => body.writeUInt8(0, 10)],
    ['kind', (body) => body.writeUInt8(4, 10)],
    ['reserved', (body) => body.writeUInt8(1, 11)],
    ['reserved', (body) => body.writeUInt8(1, 43)],
    ['reserved', (body) => body.writeUInt8(1, 48)],
    ['reserved', (body) => body.writeUInt8(1, 63)],
    ['disk size', (body) => body.writeUInt32BE(0, 12)],
    ['disk size', (body) => body.writeBigUInt64BE(BigInt(10 * CHUNK_SIZE_BYTES + 1), 24)],
    ['disk size', (body) => body.writeBigUInt64BE(BigInt(9 * CHUNK_SIZE_BYTES), 24)],
    ['creation time', (body) => body.writeBigUInt64BE(2n ** 53n, 32)],
    ['id', (body) => body.write('.', 64)],
    ['id', (body) => body.write('/', 68)],
    ['id', (body) => body.write(' ', bitmapAt - 1)],
    ['chunk counts', (body) => body.writeUInt32BE(11, 20)],
    ['chunk counts', (body) => body.writeUInt32BE(limits.manifest.chunks + 1, 16)],
    ['bitmap', (body) => body.writeUInt8(0b0000_0111, bitmapAt + 1)],
    ['bitmap', (body) => body.writeUInt8(0xff, bitmapAt)],
    ['bitmap', (body) => body.writeUInt8(0, bitmapAt)],
    ['length', (body) => body.writeUInt32BE(3, 44)],
    ['length', (body) => body.writeUInt32BE(2 ** 31, 44)],
    ['length', (body) => Buffer.concat([body, Buffer.alloc(1)])],
    ['length', (body) => body.subarray(0, -1)],
    ['length', (body) => body.subarray(0, 63)],
  ];
  for (const [what, change] of wrong) {
    const refused = { code: 'MANIFEST_MALFORMED', data: { what } };
    assert.throws(() => readManifestHeader(forged(bytes, change)), refused, String(change));
  }
  const damaged = Buffer.from(bytes);
  damaged[bytes.length - 1]! ^= 1;
  const digest = { code: 'MANIFEST_MALFORMED', data: { what: 'digest' } };
  assert.throws(() => readManifestHeader(damaged), digest);
  assert.equal(
    readManifestHeader(forged(bytes, () => {})).keyId,
    'k1',
    'the forger changed nothing',
  );
});

test('all facts come back as they were sealed, of every kind and size', async () => {
  for (const kind of ['disk', 'memory', 'pack'] as const) {
    const diskBytes = 15 * GIB + 1;
    const chunks = Array.from({ length: Math.ceil(diskBytes / CHUNK_SIZE_BYTES) }, () => undefined);
    const bytes = await seal({ kind, diskBytes, chunks });
    const { names, storedChunks, ...header } = readManifestHeader(bytes);
    assert.deepEqual(header, {
      ...{ manifestId: 'm-1', rootId: 'r-1', accountId: '000000000000', kind, diskBytes },
      ...{ chunkSizeBytes: CHUNK_SIZE_BYTES, chunkCount: chunks.length, storedChunkCount: 0 },
      ...{ createdAtMs: 1_700_000_000_123, keyId: 'k1' },
    });
    assert.deepEqual([[...names()], [...storedChunks()]], [[], []]);
  }
  const some = [undefined, chunk(), undefined, chunk()];
  const small = { chunkSizeBytes: 4096, diskBytes: 3 * 4096 + 1, chunks: some };
  const header = readManifestHeader(await seal(small));
  const { chunkSizeBytes, storedChunkCount, kind } = header;
  assert.deepEqual([chunkSizeBytes, storedChunkCount, kind], [4096, 2, 'disk']);
  const placed = [1, 3].map((index) => [index, some[index]?.name]);
  assert.deepEqual([...header.storedChunks()], placed);
});

test('a sealer’s own mistakes are defects, not manifests', async () => {
  const mistakes: Partial<ManifestContents>[] = [
    { manifestId: '' },
    { rootId: 'a/b' },
    { accountId: 'x'.repeat(129) },
    { diskBytes: 9 * CHUNK_SIZE_BYTES },
    { diskBytes: 10 * CHUNK_SIZE_BYTES + 1 },
    { chunks: Array.from({ length: 10 }, () => ({ ...chunk(), key: random.bytes(31) })) },
    { chunks: Array.from({ length: 10 }, () => ({ ...chunk(), name: 'aa' })) },
  ];
  const chunks = Array.from({ length: limits.manifest.chunks + 1 }, () => undefined);
  mistakes.push({ chunks, chunkSizeBytes: 1, diskBytes: chunks.length });
  for (const mistake of mistakes) await assert.rejects(seal(mistake), { code: 'INTERNAL' });
  const most = { chunks: chunks.slice(1), chunkSizeBytes: 1, diskBytes: chunks.length - 1 };
  assert.equal(readManifestHeader(await seal(most)).chunkCount, limits.manifest.chunks);
  assert.equal(
    readManifestHeader(await seal({ accountId: 'x'.repeat(128) })).accountId.length,
    128,
  );
});

test('a data key does not stay with the sealer', async () => {
  await seal();
  assert.ok(given?.equals(Buffer.alloc(32)));
});

test('a chunk beyond the disk and the key of a zero chunk are defects to ask for', async () => {
  const opened = openManifest(await seal(), dataKey);
  assert.equal(opened.chunkName(1), undefined);
  for (const ask of [
    () => opened.chunkName(10),
    () => opened.chunkName(-1),
    () => opened.chunkKey(1),
    () => opened.chunkKey(10),
  ]) {
    assert.throws(ask, { code: 'INTERNAL' });
  }
});

test('what is sealed is no longer than it has to be, and its parts lie behind each other', async () => {
  const bytes = await seal();
  const { clear, names, sealed, nonce, wrappedKey, bitmap } = decodeManifest(bytes);
  assert.deepEqual([bitmap.length, names.length, nonce.length], [2, 9 * 32, 12]);
  assert.equal(sealed.length, 9 * 32 + '{}'.length + 16);
  assert.equal(wrappedKey.length, 61);
  assert.equal(clear.length, 64 + 18 + bitmap.length + names.length);
  const tail = 4 + 'k1'.length + wrappedKey.length + 32;
  assert.equal(bytes.length, clear.length + nonce.length + sealed.length + tail);
});

test('nothing at all can be sealed too, and less than a tag never opens', () => {
  const [key, nonce, aad] = [random.bytes(32), random.bytes(12), Buffer.from('for')];
  const sealed = aeadSeal(key, nonce, Buffer.alloc(0), aad);
  assert.equal(sealed.length, 16);
  assert.equal(aeadOpen(key, nonce, sealed, aad)?.length, 0);
  assert.equal(aeadOpen(key, nonce, sealed.subarray(1), aad), undefined);
  assert.equal(aeadOpen(key, nonce, Buffer.alloc(0), aad), undefined);
});

test('a salt is made of a whole secret and a period that counts from zero', () => {
  const secret = random.bytes(32);
  const parts = { rootId: 'r', epoch: 0, scope: 'region', placement: '' } as const;
  assert.equal(chunkSalt(secret, parts).length, 32);
  const defect = { code: 'INTERNAL' };
  assert.throws(() => chunkSalt(secret.subarray(1), parts), defect);
  for (const epoch of [-1, 0.5, 2 ** 53]) {
    assert.throws(() => chunkSalt(secret, { ...parts, epoch }), defect);
  }
});

test('a chunk is sealed into a place of its own length only', () => {
  const plaintext = Buffer.alloc(100, 3);
  const defect = { code: 'INTERNAL' };
  assert.throws(() => sealChunk(dataKey, plaintext, Buffer.alloc(99)), defect);
  assert.throws(() => sealChunk(dataKey, plaintext, Buffer.alloc(101)), defect);
});
