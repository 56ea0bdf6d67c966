import assert from 'node:assert/strict';
import { createCipheriv, createHash, createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { chunkSalt, openRange, type SaltParts, sealChunk, verifyChunk } from './mod.ts';

const secret = Buffer.alloc(32, 7);
const parts: SaltParts = { rootId: 'r1', epoch: 0, scope: 'region', placement: '' };
const salt = chunkSalt(secret, parts);
const bytes = (maxLength: number) =>
  fc.uint8Array({ maxLength, size: 'max' }).map((each) => Buffer.from(each));

test('a chunk is sealed as the definition says, primitive by primitive', () => {
  const plaintext = Buffer.from(Array.from({ length: 200_001 }, (_, i) => (i * 31) & 255));
  const digest = createHash('sha256').update(plaintext).digest();
  const key = createHmac('sha256', salt).update(digest).digest();
  const ciphertext = createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(plaintext);
  const sealed = sealChunk(salt, plaintext);
  assert.deepEqual(sealed.key, key);
  assert.ok(sealed.ciphertext.equals(ciphertext));
  assert.equal(sealed.name, createHash('sha256').update(ciphertext).digest('hex'));
});

test('any range opens to the bytes that were sealed', () => {
  const property = fc.property(
    bytes(150_000),
    fc.nat(),
    fc.nat(),
    fc.boolean(),
    (data, a, b, own) => {
      const sealed = sealChunk(salt, data);
      const offset = a % (data.length + 1);
      const length = b % (data.length - offset + 1);
      const into = own ? Buffer.alloc(length + 5) : undefined;
      const opened = openRange(sealed.key, sealed.ciphertext, offset, length, into);
      assert.ok(opened.equals(data.subarray(offset, offset + length)));
      if (into) assert.equal(opened.buffer, into.buffer);
    },
  );
  fc.assert(property, { numRuns: propertyRuns(100) });
});

test('sealing in place gives the same chunk', () => {
  const plaintext = Buffer.alloc(300_000, 'chunk');
  const expected = sealChunk(salt, plaintext);
  const sealed = sealChunk(salt, plaintext, plaintext);
  assert.equal(sealed.name, expected.name);
  assert.ok(plaintext.equals(expected.ciphertext));
});

test('a flipped bit, a cut and another chunk are told from the chunk', () => {
  const { name, ciphertext } = sealChunk(salt, Buffer.alloc(4096, 1));
  assert.ok(verifyChunk(name, ciphertext));
  const flipped = Buffer.from(ciphertext);
  flipped[4000] = (flipped[4000] as number) ^ 1;
  assert.ok(!verifyChunk(name, flipped));
  assert.ok(!verifyChunk(name, ciphertext.subarray(1)));
  assert.ok(!verifyChunk(name, sealChunk(salt, Buffer.alloc(4096, 2)).ciphertext));
});

test('a range outside the chunk is a defect, not a short answer', () => {
  const { key, ciphertext } = sealChunk(salt, Buffer.alloc(64));
  assert.throws(() => openRange(key, ciphertext, 60, 5), { code: 'INTERNAL' });
  assert.throws(() => openRange(key, ciphertext, 0, 64, Buffer.alloc(63)), { code: 'INTERNAL' });
});

test('each part of the salt, and the secret, sets chunks apart', () => {
  const plaintext = Buffer.alloc(4096, 9);
  const variants: [Buffer, SaltParts][] = [
    [secret, parts],
    [secret, { ...parts, rootId: 'r2' }],
    [secret, { ...parts, epoch: 1 }],
    [secret, { ...parts, scope: { accountId: '000000000001' } }],
    [secret, { ...parts, scope: { accountId: '000000000002' } }],
    [secret, { ...parts, placement: 'cell-1' }],
    [Buffer.alloc(32, 8), parts],
  ];
  const names = variants.map(([key, each]) => sealChunk(chunkSalt(key, each), plaintext).name);
  assert.equal(new Set(names).size, variants.length);
  const again = sealChunk(chunkSalt(secret, { ...parts }), Buffer.from(plaintext));
  assert.equal(again.name, names[0]);
});

test('fields of the salt do not run into each other', () => {
  const a = chunkSalt(secret, { ...parts, rootId: 'r', epoch: 11 });
  const b = chunkSalt(secret, { ...parts, rootId: 'r1', epoch: 1 });
  assert.ok(!a.equals(b));
});
