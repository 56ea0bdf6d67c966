import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { isSluiceError, SluiceError } from '../../base/mod.ts';
import type { LayerChecks } from '../layer-bytes.ts';
import { LayerThread } from './layer-thread.ts';

const digestOf = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

// More than all slots and credits hold, half of it compressible.
const content = Buffer.concat([randomBytes(5_000_001), Buffer.alloc(5_000_000, 'content')]);

function checksOf(stored: Buffer): LayerChecks {
  const digest = digestOf(stored);
  const expected = { digest, sizeBytes: stored.length };
  return { layerDigest: digest, stored: expected, diffId: digestOf(content) };
}

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield Buffer.copyBytesFrom(bytes, at, size);
}

async function digestOfStream(source: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256');
  for await (const bytes of source) {
    hash.update(bytes);
    await new Promise(setImmediate);
  }
  return `sha256:${hash.digest('hex')}`;
}

function startThread(t: TestContext): LayerThread {
  const thread = new LayerThread();
  t.after(() => thread.close());
  return thread;
}

test('reads layers one after another, in every form and in pieces of any size', async (t) => {
  const thread = startThread(t);
  for (const stored of [content, gzipSync(content, { level: 1 }), zstdCompressSync(content)]) {
    for (const size of [60_000, 1 << 20, stored.length]) {
      const source = pieces(stored, size);
      const digest = await digestOfStream(thread.read(source, checksOf(stored)));
      assert.equal(digest, digestOf(content));
    }
  }
});

test('a failure names the layer, and the thread reads on', async (t) => {
  const thread = startThread(t);
  const stored = gzipSync(content, { level: 1 });
  const cut = pieces(stored.subarray(0, 3_000_000), 100_000);
  await assert.rejects(digestOfStream(thread.read(cut, checksOf(stored))), (error) => {
    assert.ok(isSluiceError(error, 'IMAGE_LAYER_TRUNCATED'));
    return error.message.includes(digestOf(stored));
  });
  const wrong = { ...checksOf(stored), diffId: digestOf(stored) };
  await assert.rejects(digestOfStream(thread.read(pieces(stored, 1 << 20), wrong)), (error) =>
    isSluiceError(error, 'IMAGE_DIGEST_MISMATCH'),
  );
  async function* breaking(): AsyncGenerator<Buffer> {
    yield stored.subarray(0, 1_000_000);
    throw new SluiceError('REGISTRY_UNAVAILABLE', 'gone', { data: { status: 503 } });
  }
  await assert.rejects(
    digestOfStream(thread.read(breaking(), checksOf(stored))),
    (error) => isSluiceError(error, 'REGISTRY_UNAVAILABLE') && error.data['status'] === 503,
  );
  const digest = await digestOfStream(thread.read(pieces(stored, 1 << 20), checksOf(stored)));
  assert.equal(digest, digestOf(content));
});

test('a layer given up half-way lets go of its source, and the thread reads on', async (t) => {
  const thread = startThread(t);
  const stored = gzipSync(content, { level: 1 });
  for (const after of [1, 3]) {
    let released = false;
    const source = (async function* () {
      try {
        yield* pieces(stored, 100_000);
      } finally {
        released = true;
      }
    })();
    let seen = 0;
    for await (const _ of thread.read(source, checksOf(stored))) if (++seen === after) break;
    for (let i = 0; i < 100 && !released; i++) await new Promise(setImmediate);
    assert.ok(released);
    assert.equal(thread.busy, false);
  }
  const digest = await digestOfStream(thread.read(pieces(stored, 1 << 20), checksOf(stored)));
  assert.equal(digest, digestOf(content));
});
