import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import {
  CHUNK_SIZE_BYTES,
  isSluiceError,
  SeededRandom,
  systemClock,
  systemRandom,
} from '../base/mod.ts';
import { type LayerToWrite, openImage, writeImageLayout } from '../oci/mod.ts';
import {
  type ChunkRef,
  type KeyService,
  openManifest,
  openRange,
  verifyChunk,
} from '../seal/mod.ts';
import { type AddImageOptions, addImage, flattenToFile, type ImageProgress } from './mod.ts';

const dataKey = randomBytes(32);
const keyService: KeyService = {
  generateDataKey: async () => ({
    keyId: 'test',
    plaintext: Buffer.from(dataKey),
    wrapped: Buffer.alloc(40),
  }),
  unwrapDataKey: async () => Buffer.from(dataKey),
  rewrapDataKey: async (key) => key,
};

/** Keeps what is put, and in what order. */
class FakeOrigin {
  readonly chunks = new Map<string, Buffer>();
  readonly manifests = new Map<string, Buffer>();
  readonly order: string[] = [];
  failAfterChunks = Number.POSITIVE_INFINITY;

  async put(ref: ChunkRef, ciphertext: Buffer) {
    if (this.order.length >= this.failAfterChunks) throw new Error('the origin is full');
    this.order.push('chunk');
    if (this.chunks.has(ref.name)) return 'present' as const;
    this.chunks.set(ref.name, Buffer.from(ciphertext));
    return 'stored' as const;
  }

  async putManifest(_rootId: string, manifestId: string, bytes: Buffer) {
    this.order.push('manifest');
    this.manifests.set(manifestId, bytes);
  }
}

const random = new SeededRandom(7);
const application = random.bytes(3_000_000);
const layers: LayerToWrite[] = [
  {
    write: async (tar) => {
      await tar.add({ path: 'zeros' }, Buffer.alloc(2_000_000));
      await tar.add({ path: 'application' }, application);
    },
  },
  { compression: 'zstd', write: (tar) => tar.add({ path: 'small' }, Buffer.from('small')) },
];

async function setUp(t: TestContext, change: Partial<AddImageOptions> = {}) {
  const layout = temporaryDirectory(t, 'layout');
  await writeImageLayout(layout, { layers, config: { cmd: ['run'] } });
  const image = await openImage(`oci:${layout}`);
  t.after(() => image.close());
  const origin = new FakeOrigin();
  const spoolDirectory = join(temporaryDirectory(t, 'spool'), 'made');
  const options: AddImageOptions = {
    sealer: { rootId: 'root', accountId: 'account', salt: Buffer.alloc(32, 5), keyService },
    chunks: origin,
    manifests: origin,
    spoolDirectory,
    clock: systemClock,
    random: systemRandom,
    ...change,
  };
  return { image, origin, options, spoolDirectory, layout };
}

test('a stored image opens to the same disk that flattening to a file writes', async (t) => {
  const { image, origin, options, spoolDirectory } = await setUp(t);
  const progress: ImageProgress[] = [];
  const record = await addImage(image, { ...options, onProgress: (each) => progress.push(each) });

  const path = join(temporaryDirectory(t, 'disk'), 'disk');
  await flattenToFile(image, path, { spoolDirectory });
  const disk = await open(path);
  t.after(() => disk.close());
  const manifest = openManifest(origin.manifests.get(record.manifestId)!, dataKey);
  assert.equal(manifest.diskBytes, (await disk.stat()).size);
  let zeroChunks = 0;
  const expected = Buffer.alloc(CHUNK_SIZE_BYTES);
  for (let index = 0; index < manifest.chunkCount; index++) {
    const name = manifest.chunkName(index);
    if (name === undefined) zeroChunks++;
    // Behind the data of so small an image lie two gigabytes of nothing.
    if (name === undefined && index > 100) continue;
    await disk.read(expected, 0, CHUNK_SIZE_BYTES, index * CHUNK_SIZE_BYTES);
    if (name === undefined) {
      assert.ok(expected.equals(Buffer.alloc(CHUNK_SIZE_BYTES)), `chunk ${index} is zero`);
      continue;
    }
    const ciphertext = origin.chunks.get(name);
    assert.ok(ciphertext && verifyChunk(name, ciphertext));
    const opened = openRange(manifest.chunkKey(index), ciphertext, 0, CHUNK_SIZE_BYTES);
    assert.ok(opened.equals(expected), `chunk ${index}`);
  }
  assert.equal(record.zeroChunks, zeroChunks);
  assert.equal(record.chunkCount, manifest.chunkCount);
  assert.equal(record.newChunks, origin.chunks.size);
  assert.equal(record.metadata.imageDigest, image.digest);
  assert.deepEqual(record.metadata.imageConfig.cmd, ['run']);
  assert.equal(origin.order.at(-1), 'manifest');
  assert.deepEqual(readdirSync(spoolDirectory), []);
  assert.equal(progress.at(-1)?.phase, 'manifest');
  assert.equal(progress.at(-1)?.newChunks, record.newChunks);
});

test('the same image again stores nothing but its manifest', async (t) => {
  const { image, origin, options } = await setUp(t);
  const first = await addImage(image, options);
  const second = await addImage(image, { ...options, threads: 1 });
  assert.ok(first.newChunks > 0);
  assert.equal(second.newChunks, 0);
  assert.notEqual(second.manifestId, first.manifestId);
  assert.equal(origin.manifests.size, 2);
});

test('another salt shares no chunk', async (t) => {
  const { image, origin, options } = await setUp(t);
  const first = await addImage(image, options);
  const sealer = { ...options.sealer, salt: Buffer.alloc(32, 6) };
  const second = await addImage(image, { ...options, sealer });
  assert.equal(second.newChunks, first.newChunks);
  assert.equal(origin.chunks.size, first.newChunks + second.newChunks);
});

test('a failure leaves no manifest and nothing spooled', async (t) => {
  const { image, origin, options, spoolDirectory } = await setUp(t);
  origin.failAfterChunks = 3;
  await assert.rejects(addImage(image, options), /the origin is full/);
  origin.failAfterChunks = Number.POSITIVE_INFINITY;
  await assert.rejects(
    addImage(image, { ...options, sizeLimitBytes: 1_000_000 }),
    (error) =>
      isSluiceError(error, 'IMAGE_TOO_LARGE') &&
      /^Uncompressed container image size exceeds/.test(error.message),
  );
  const aborted = AbortSignal.abort(new Error('enough'));
  await assert.rejects(addImage(image, { ...options, signal: aborted }), /enough/);
  assert.equal(origin.manifests.size, 0);
  assert.deepEqual(readdirSync(spoolDirectory), []);
});

test('flattening to a file that exists, or of an image that is broken', async (t) => {
  const { image, options, spoolDirectory } = await setUp(t);
  const path = join(temporaryDirectory(t, 'disk'), 'disk');
  const tooSmall = { spoolDirectory, sizeLimitBytes: 1000 };
  await assert.rejects(flattenToFile(image, path, tooSmall), (error) =>
    isSluiceError(error, 'IMAGE_TOO_LARGE'),
  );
  assert.equal(existsSync(path), false);
  await flattenToFile(image, path, options);
  await assert.rejects(
    flattenToFile(image, path, options),
    (error) => isSluiceError(error, 'USAGE') && error.message.startsWith(path),
  );
  assert.equal(existsSync(path), true);
});
