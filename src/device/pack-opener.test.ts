import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { CHUNK_SIZE_BYTES, limits, PAGE_SIZE_BYTES, SluiceError } from '../base/mod.ts';
import { sealChunk } from '../seal/mod.ts';
import type { Tier } from './device-counters.ts';
import type { PackedFrame } from './messages.ts';
import { PackOpener } from './pack-opener.ts';

const PAGES = 8 * PAGE_SIZE_BYTES;

/** A stream of frames in two chunks, the first frame in the first and a second one across both. */
function packed() {
  const plain = [randomBytes(PAGES), randomBytes(PAGES)] as const;
  const [one, two] = plain.map((bytes) => zstdCompressSync(bytes)) as [Buffer, Buffer];
  const inFirst = 1000;
  const begin = CHUNK_SIZE_BYTES - one.length - inFirst;
  const stream = Buffer.alloc(2 * CHUNK_SIZE_BYTES);
  one.copy(stream, begin);
  two.copy(stream, begin + one.length);
  const chunks = [0, 1].map((index) =>
    sealChunk(
      randomBytes(32),
      stream.subarray(index * CHUNK_SIZE_BYTES, (index + 1) * CHUNK_SIZE_BYTES),
    ),
  );
  const part = (chunk: number, at: number, bytes: number) => {
    const { name, key } = chunks[chunk]!;
    return { name, key: new Uint8Array(key), at, bytes };
  };
  const frames = (): [PackedFrame, PackedFrame] => [
    { parts: [part(0, begin, one.length)], plainBytes: PAGES },
    {
      parts: [part(0, CHUNK_SIZE_BYTES - inFirst, inFirst), part(1, 0, two.length - inFirst)],
      plainBytes: PAGES,
    },
  ];
  return { plain, chunks, frames };
}

function bench() {
  const pack = packed();
  const asked: string[] = [];
  const tiers: Tier[] = ['slab', 'origin'];
  const opener = new PackOpener(async ({ rootId, name }) => {
    assert.equal(rootId, 'root');
    const index = pack.chunks.findIndex((each) => each.name === name);
    asked.push(name);
    if (index < 0) throw new SluiceError('CHUNK_MISSING', name);
    return { bytes: pack.chunks[index]!.ciphertext, tier: tiers[index]! };
  });
  return { ...pack, asked, opener };
}

test('frames are opened one after the other, across chunks, and their keys overwritten', async () => {
  const { plain, frames, opener } = bench();
  const into = Buffer.alloc(2 * PAGES);
  const wanted = frames();
  assert.equal(await opener.open('root', wanted, into), 'origin');
  assert.ok(into.equals(Buffer.concat(plain)));
  for (const { parts } of wanted) {
    for (const { key } of parts) assert.ok(key.every((byte) => byte === 0));
  }
});

test('a chunk that several blocks need is brought once, also when they come one after the other', async () => {
  const { chunks, frames, opener, asked } = bench();
  const open = (frame: PackedFrame) => opener.open('root', [frame], Buffer.alloc(PAGES));
  assert.equal(await open(frames()[0]), 'slab');
  await Promise.all([open(frames()[1]), open(frames()[1])]);
  assert.deepEqual(asked, [chunks[0]?.name, chunks[1]?.name]);
});

test('of chunks that no block is opened from only the last few are kept', async () => {
  const bytes = zstdCompressSync(Buffer.alloc(PAGES));
  const asked: string[] = [];
  const key = randomBytes(32);
  const { ciphertext } = sealChunk(key, Buffer.concat([bytes], CHUNK_SIZE_BYTES));
  const opener = new PackOpener(async ({ name }) => {
    asked.push(name);
    return { bytes: ciphertext, tier: 'slab' };
  });
  // Not this frame's key, so that it does not open: what is brought is kept all the same.
  const open = (name: string) => {
    const parts = [{ name, key: new Uint8Array(32), at: 0, bytes: bytes.length }];
    const opened = opener.open('root', [{ parts, plainBytes: PAGES }], Buffer.alloc(PAGES));
    return assert.rejects(opened, { code: 'CHUNK_CORRUPT' });
  };
  const names = Array.from({ length: limits.device.packChunksKept + 1 }, (_, n) => `${n}`);
  for (const name of names) await open(name);
  for (const name of names.slice(1)) await open(name);
  assert.deepEqual(asked, names);
  await open('0');
  assert.deepEqual(asked, [...names, '0']);
});

test('a chunk that could not be had is asked for again by the next block', async () => {
  const { opener, asked } = bench();
  const none = { parts: [{ name: 'none', key: new Uint8Array(32), at: 0, bytes: 9 }] };
  const open = () => opener.open('root', [{ ...none, plainBytes: PAGES }], Buffer.alloc(PAGES));
  await assert.rejects(open(), { code: 'CHUNK_MISSING' });
  await assert.rejects(open(), { code: 'CHUNK_MISSING' });
  assert.deepEqual(asked, ['none', 'none']);
});
