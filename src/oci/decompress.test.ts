import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, constants as zlib, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { isSluiceError } from '../base/mod.ts';
import { decompressed } from './decompress.ts';

const checksum = { [zlib.ZSTD_c_checksumFlag]: 1 };
const layer = `sha256:${'0'.repeat(64)}`;

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function through(bytes: Buffer, size = 65_536): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of decompressed(pieces(bytes, size), { what: layer })) parts.push(part);
  return Buffer.concat(parts);
}

function skippable(content: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d2a50 + (content.length % 16), 0);
  head.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, content]);
}

const rejects = (bytes: Buffer, code: 'IMAGE_LAYER_TRUNCATED' | 'IMAGE_LAYER_CORRUPT') =>
  assert.rejects(through(bytes), (error) => {
    assert.ok(isSluiceError(error, code), String(error));
    return error.message.includes(layer);
  });

test('plain bytes go through, also none and few', async () => {
  for (const text of ['', 'a', 'abc', 'plain bytes']) {
    assert.equal(`${await through(Buffer.from(text), 1)}`, text);
  }
});

test('gzip: several members, zeros after the last', async () => {
  const bytes = Buffer.concat([gzipSync('one '), gzipSync('two '), gzipSync('three')]);
  for (const size of [1, 10, 1000]) assert.equal(`${await through(bytes, size)}`, 'one two three');
  assert.equal(`${await through(Buffer.concat([bytes, Buffer.alloc(512)]))}`, 'one two three');
});

test('zstd: frames and skippable frames in any order and any pieces', async () => {
  const part = fc.oneof(
    fc.record({ kind: fc.constant('frame'), bytes: fc.uint8Array({ maxLength: 3000 }) }),
    fc.record({ kind: fc.constant('skippable'), bytes: fc.uint8Array({ maxLength: 300 }) }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 5000 }),
      async (parts, size) => {
        const stored = parts.map(({ kind, bytes }) =>
          kind === 'frame' ? zstdCompressSync(bytes) : skippable(Buffer.from(bytes)),
        );
        const frames = parts.filter(({ kind }) => kind === 'frame');
        const expected = Buffer.concat(frames.map(({ bytes }) => bytes));
        assert.ok((await through(Buffer.concat(stored), size)).equals(expected));
      },
    ),
    { numRuns: propertyRuns(100) },
  );
});

test('a large zstd stream of many blocks is not cut', async () => {
  const bytes = Buffer.alloc(5_000_000, 'sluice '.repeat(999));
  bytes.writeUInt32LE(0x184d2a50, 1_000_000);
  assert.ok((await through(zstdCompressSync(bytes), 1000)).equals(bytes));
});

test('cut short and garbled streams are told apart', async () => {
  const text = Buffer.from(Array.from({ length: 5000 }, (_, i) => i * i).join());
  for (const bytes of [gzipSync(text), zstdCompressSync(text, { params: checksum })]) {
    await rejects(bytes.subarray(0, bytes.length - 5), 'IMAGE_LAYER_TRUNCATED');
    await rejects(bytes.subarray(0, 20), 'IMAGE_LAYER_TRUNCATED');
    await rejects(Buffer.concat([bytes, Buffer.from('garbage')]), 'IMAGE_LAYER_CORRUPT');
    const garbled = Buffer.from(bytes);
    garbled.fill(0xff, 100, 200);
    await rejects(garbled, 'IMAGE_LAYER_CORRUPT');
  }
});
