import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { CHUNK_SIZE_BYTES, SeededRandom, SluiceError, VirtualClock } from '../base/mod.ts';
import { ChunkSlots } from '../cache/mod.ts';
import {
  type ChunkName,
  type KeyService,
  type ManifestChunk,
  openManifest,
  sealChunk,
  sealManifest,
} from '../seal/mod.ts';
import { DeviceCounters } from './device-counters.ts';
import { DeviceTable } from './device-table.ts';
import { DiskDevice } from './disk-device.ts';
import { toDeviceRequest } from './open-device.ts';
import { PlainPages } from './plain-pages.ts';

const random = new SeededRandom(11);
const wrappedKey = Buffer.alloc(61);
const oneKey = (dataKey: Buffer): KeyService => ({
  generateDataKey: async () => ({
    keyId: 'k',
    plaintext: Buffer.from(dataKey),
    wrapped: wrappedKey,
  }),
  unwrapDataKey: async () => Buffer.from(dataKey),
  rewrapDataKey: () => assert.fail('nothing is rewrapped'),
});

async function seal(deviceId: string, chunks: ManifestChunk[]) {
  const dataKey = random.bytes(32);
  const facts = { manifestId: deviceId, rootId: 'root', accountId: '000000000000' };
  const diskBytes = chunks.length * CHUNK_SIZE_BYTES;
  const contents = { ...facts, diskBytes, chunks, createdAtMs: 0, metadata: {} };
  const manifestBytes = await sealManifest(contents, oneKey(dataKey), random);
  return { ...facts, deviceId, manifestBytes, dataKey, writable: false };
}

/** Memory that has a chunk already, as if another device had fetched it. */
function memoryWith(...chunks: { name: ChunkName; ciphertext: Buffer }[]): ChunkSlots {
  const memory = new ChunkSlots(ChunkSlots.allocate(8 * CHUNK_SIZE_BYTES));
  for (const { name, ciphertext } of chunks) {
    const slot = memory.reserve(name);
    ciphertext.copy(memory.bytes, memory.offsetOf(slot));
    memory.ready(slot, 0);
  }
  return memory;
}

function tableOver(t: TestContext, memory: ChunkSlots): DeviceTable {
  const overlayDirectory = join(temporaryDirectory(t, 'device'), 'overlays');
  mkdirSync(overlayDirectory);
  const clock = new VirtualClock();
  return new DeviceTable({ memory, clock, random, overlayDirectory, firstNodeId: 1 });
}

const plaintext = Buffer.alloc(CHUNK_SIZE_BYTES, 'plaintext ');
const chunk = sealChunk(random.bytes(32), plaintext);

test('a chunk for which two manifests give different keys is refused to the second', async (t) => {
  const table = tableOver(t, memoryWith(chunk));
  const open = async (deviceId: string, key: Buffer) =>
    table.open(toDeviceRequest(await seal(deviceId, [{ name: chunk.name, key }]))).disk;
  const [into, other] = [Buffer.alloc(4096), Buffer.alloc(4096)];
  assert.ok((await open('right', chunk.key)).read(8192, 4096, into, 0));
  assert.ok(into.equals(plaintext.subarray(8192, 12288)));
  const wrong = await open('wrong', random.bytes(32));
  assert.throws(
    () => wrong.read(16_384, 4096, other, 0),
    (error) => error instanceof SluiceError && error.code === 'MANIFEST_TAMPERED',
  );
  assert.ok(other.equals(Buffer.alloc(4096)), 'nothing of it was shown');
  const again = await open('again', chunk.key);
  assert.ok(again.read(16_384, 4096, other, 0), 'whoever has the right key reads on');
  assert.ok(other.equals(plaintext.subarray(16_384, 20_480)));
});

test('a closed device’s manifest holds no keys', async (t) => {
  const memory = memoryWith(chunk);
  const { manifestBytes, dataKey } = await seal('disk', [chunk]);
  const manifest = openManifest(manifestBytes, dataKey);
  const key = manifest.chunkKey(0);
  const counters = new DeviceCounters();
  const plainPages = new PlainPages(memory);
  const disk = new DiskDevice({ manifest, memory, plainPages, counters });
  assert.ok(disk.read(0, 4096, Buffer.alloc(4096), 0));
  assert.ok(key.equals(chunk.key));
  disk.close();
  assert.ok(key.equals(Buffer.alloc(32)));

  const table = tableOver(t, memory);
  const device = table.open(toDeviceRequest(await seal('other', [chunk])));
  const close = t.mock.method(device.disk, 'close');
  table.close(device);
  assert.equal(close.mock.callCount(), 1);
  assert.equal(table.byName('other'), undefined);
});

test('the data key given to open a device is overwritten, whether it opens or not', async (t) => {
  const table = tableOver(t, memoryWith(chunk));
  const request = await seal('disk', [chunk]);
  const message = toDeviceRequest(request);
  table.open(message);
  assert.ok(Buffer.from(message.dataKey).equals(Buffer.alloc(32)));
  assert.ok(!request.dataKey.equals(Buffer.alloc(32)), 'the caller’s copy is the caller’s');
  const wrong = toDeviceRequest({ ...request, deviceId: 'wrong', dataKey: random.bytes(32) });
  assert.throws(() => table.open(wrong), { code: 'MANIFEST_TAMPERED' });
  assert.ok(Buffer.from(wrong.dataKey).equals(Buffer.alloc(32)));
});
