import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { sealDisk } from '../../test/support/sealed-disk.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import {
  CHUNK_SIZE_BYTES,
  type Clock,
  KIB,
  limits,
  MIB,
  PAGE_SIZE_BYTES,
  SluiceError,
  systemClock,
  systemRandom,
  VirtualClock,
} from '../base/mod.ts';
import { ChunkSlots } from '../cache/mod.ts';
import { memoryOrigin } from '../origin/mod.ts';
import type { ChunkRef, ChunkSource } from '../seal/mod.ts';
import { LocalDevice } from './local-device.ts';
import type { OpenDeviceRequest } from './open-device.ts';

/** A source that counts, and does to each get what the test says. */
class WatchedSource implements ChunkSource {
  readonly names: string[] = [];
  before: (ref: ChunkRef) => Promise<void> = async () => {};
  readonly #source: ChunkSource;

  constructor(source: ChunkSource) {
    this.#source = source;
  }

  async get(ref: ChunkRef, signal?: AbortSignal): Promise<Buffer> {
    this.names.push(ref.name);
    await this.before(ref);
    return await this.#source.get(ref, signal);
  }
}

async function rig(t: TestContext, disk: Buffer, clock: Clock = systemClock) {
  const directory = temporaryDirectory(t, 'device');
  const origin = memoryOrigin({ clock: systemClock, random: systemRandom });
  const source = new WatchedSource(origin);
  const sealed = await sealDisk(disk, origin, join(directory, 'keys'));
  const overlayDirectory = join(directory, 'overlays');
  mkdirSync(overlayDirectory);
  const open = async (options: Partial<OpenDeviceRequest> = {}, slots = 16) => {
    const device = await LocalDevice.open(
      { ...sealed, deviceId: 'disk', writable: false, ...options },
      {
        memory: new ChunkSlots(ChunkSlots.allocate(slots * CHUNK_SIZE_BYTES)),
        source,
        tierOf: () => 'origin',
        overlayDirectory,
        clock,
        random: systemRandom,
      },
    );
    t.after(() => device.close().catch(() => {}));
    return device;
  };
  return { open, source, sealed, overlayDirectory };
}

const isError = (code: string) => (error: unknown) =>
  error instanceof SluiceError && error.code === code;

test('sixteen readers of a cold chunk are one fetch', async (t) => {
  const disk = randomBytes(2 * CHUNK_SIZE_BYTES);
  const { open, source } = await rig(t, disk);
  const device = await open();
  const reads = Array.from({ length: 16 }, (_, index) => device.read(index * 8192, 8192));
  assert.ok(disk.subarray(0, 16 * 8192).equals(Buffer.concat(await Promise.all(reads))));
  assert.equal(source.names.length, 1);
});

test('many large reads at once through a small memory all end with the right bytes', async (t) => {
  const disk = randomBytes(40 * CHUNK_SIZE_BYTES);
  const { open } = await rig(t, disk);
  const device = await open();
  const starts = Array.from({ length: 120 }, (_, index) => (index * 7919 * 512) % (38 << 19));
  const reads = await Promise.all(starts.map((at) => device.read(at, MIB)));
  for (const [index, at] of starts.entries()) {
    assert.ok(disk.subarray(at, at + MIB).equals(reads[index]!), `read at ${at}`);
  }
});

test('a chunk that cannot be fetched fails its reads with its error, and is requested again later', async (t) => {
  const disk = randomBytes(2 * CHUNK_SIZE_BYTES);
  const { open, source } = await rig(t, disk);
  const device = await open();
  source.before = async (ref) => {
    throw new SluiceError('ORIGIN_UNAVAILABLE', `${ref.name}: away`, { data: { attempts: 3 } });
  };
  const failing = [device.read(0, 4096), device.read(CHUNK_SIZE_BYTES - 4096, 8192)];
  const away = { code: 'ORIGIN_UNAVAILABLE', data: { attempts: 3 } };
  for (const read of failing) await assert.rejects(read, away);
  const { failedReads, lastFailure } = await device.stats();
  assert.deepEqual([failedReads, lastFailure], [2, 'ORIGIN_UNAVAILABLE']);
  source.before = async () => {};
  assert.ok(disk.equals(await device.read(0, disk.length)));
});

test('a source that never answers fails the read at its deadline', async (t) => {
  const clock = new VirtualClock();
  const { open, source } = await rig(t, randomBytes(CHUNK_SIZE_BYTES), clock);
  const device = await open();
  source.before = () => new Promise(() => {});
  const read = assert.rejects(device.read(0, 4096), isError('DEADLINE_EXCEEDED'));
  await new Promise((resolve) => setImmediate(resolve));
  clock.jump(limits.device.fetchTimeoutMs + 1);
  await read;
});

test('a large read of one cached chunk shows what was written over it', async (t) => {
  const disk = randomBytes(2 * CHUNK_SIZE_BYTES);
  const { open } = await rig(t, disk);
  const device = await open({ writable: true });
  const bytes = 64 * KIB;
  assert.ok(disk.subarray(4096, 4096 + bytes).equals(await device.read(4096, bytes)));
  const written = randomBytes(PAGE_SIZE_BYTES);
  await device.write(8192, written);
  await device.discard(16_384, PAGE_SIZE_BYTES);
  const expected = Buffer.from(disk);
  written.copy(expected, 8192);
  expected.fill(0, 16_384, 16_384 + PAGE_SIZE_BYTES);
  assert.ok(expected.subarray(4096, 4096 + bytes).equals(await device.read(4096, bytes)));
  const far = CHUNK_SIZE_BYTES + 4096;
  assert.ok(expected.subarray(far, far + bytes).equals(await device.read(far, bytes)));
});

test('a replay takes half of the memory tier at most', async (t) => {
  const disk = randomBytes(12 * CHUNK_SIZE_BYTES);
  const { open, source, sealed } = await rig(t, disk);
  const runs = Array.from({ length: 12 }, (_, chunk) => [chunk * 128, 1, 0] as const);
  const device = await open({ replay: { manifestId: sealed.manifestId, runs } }, 16);
  while ((await device.stats()).chunksFetched < 8) await systemClock.sleep(1);
  await device.read(11 * CHUNK_SIZE_BYTES, 4096);
  assert.equal(source.names.length, 9, 'eight of the log, and the one that is read');
});

test('a device says its size, and whether it takes writes', async (t) => {
  const { open } = await rig(t, randomBytes(2 * CHUNK_SIZE_BYTES));
  const device = await open();
  assert.deepEqual([device.sizeBytes, device.writable], [2 * CHUNK_SIZE_BYTES, false]);
  await device.discard(0, 0);
  await device.close();
  assert.deepEqual([device.sizeBytes, device.writable], [0, false]);
  assert.equal((await open({ writable: true })).writable, true);
});

test('a closed device reads nothing', async (t) => {
  const { open } = await rig(t, randomBytes(CHUNK_SIZE_BYTES));
  const device = await open();
  await device.read(0, 4096);
  await device.close();
  await assert.rejects(device.read(0, 4096), isError('DEVICE_CLOSED'));
});

test('closing a device fails what still waits', async (t) => {
  const { open, source } = await rig(t, randomBytes(CHUNK_SIZE_BYTES));
  const device = await open();
  let letGo = () => {};
  source.before = () => new Promise((resolve) => (letGo = resolve));
  const read = assert.rejects(device.read(0, 4096), isError('DEVICE_CLOSED'));
  await device.close();
  await read;
  letGo();
});

test('chunks of another length than a chunk are refused', async (t) => {
  const { open, source } = await rig(t, randomBytes(CHUNK_SIZE_BYTES));
  const device = await open();
  source.get = async () => Buffer.alloc(100);
  await assert.rejects(device.read(0, 4096), isError('CHUNK_CORRUPT'));
});

test('the overlay on disk holds no plaintext, and has no name', async (t) => {
  const { open, overlayDirectory } = await rig(t, Buffer.alloc(4 * MIB));
  const device = await open({ writable: true });
  const secret = Buffer.alloc(64 * 1024, 'a secret of the function ');
  await device.write(8192, secret);
  assert.ok(secret.equals(await device.read(8192, secret.length)));
  assert.deepEqual(readdirSync(overlayDirectory), []);
  const fd = readdirSync('/proc/self/fd').find((each) => {
    try {
      return readlinkSync(`/proc/self/fd/${each}`).startsWith(overlayDirectory);
    } catch {
      return false;
    }
  });
  assert.ok(fd, 'the overlay is open');
  const stored = readFileSync(`/proc/self/fd/${fd}`);
  assert.equal(stored.length, secret.length);
  assert.equal(stored.indexOf('secret'), -1);
  const pages = Array.from({ length: 16 }, (_, page) =>
    stored.toString('hex', page * PAGE_SIZE_BYTES, (page + 1) * PAGE_SIZE_BYTES),
  );
  assert.equal(new Set(pages).size, pages.length, 'equal pages look different');
});

test('a replayed log fetches its chunks before anyone reads, and no others', async (t) => {
  const disk = randomBytes(12 * CHUNK_SIZE_BYTES);
  const { open, source, sealed } = await rig(t, disk);
  const recording = await open({ record: true }, 32);
  for (const chunk of [7, 2, 9]) await recording.read(chunk * CHUNK_SIZE_BYTES + 4096, 8192);
  const runs = await recording.accessRuns();
  assert.deepEqual(
    runs.map(([page, pages]) => [page, pages]),
    [7, 2, 9].map((chunk) => [chunk * 128 + 1, 2]),
  );
  await recording.close();
  const recorded = source.names.splice(0);
  const replay = { manifestId: sealed.manifestId, runs };
  const device = await open({ replay }, 32);
  while ((await device.stats()).chunksFetched < 3) await systemClock.sleep(1);
  assert.deepEqual(source.names, recorded);
  await device.read(7 * CHUNK_SIZE_BYTES, CHUNK_SIZE_BYTES);
  const stats = await device.stats();
  assert.equal(stats.chunksPrefetched, 3);
  assert.equal(stats.prefetchedUsed, 1);
  assert.equal(source.names.length, 3);
});

test('reading in order fetches the next chunk ahead', async (t) => {
  const disk = randomBytes(8 * CHUNK_SIZE_BYTES);
  const { open, source } = await rig(t, disk);
  const device = await open();
  await device.read(0, CHUNK_SIZE_BYTES);
  assert.equal(source.names.length, 1);
  await device.read(CHUNK_SIZE_BYTES, CHUNK_SIZE_BYTES);
  while (source.names.length < 3) await systemClock.sleep(1);
  await device.read(2 * CHUNK_SIZE_BYTES, 4096);
  assert.equal((await device.stats()).prefetchedUsed, 1);
});

test('any mix of concurrent reads, writes and discards behaves as on plain bytes', async (t) => {
  const disk = randomBytes(24 * CHUNK_SIZE_BYTES);
  disk.fill(0, 4 * MIB, 6 * MIB);
  const { open } = await rig(t, disk);
  const range = fc.record({
    at: fc.nat(disk.length - 1),
    bytes: fc.oneof(
      fc.integer({ min: 1, max: 9000 }),
      fc.constantFrom(4096, 64 * KIB, 200 * KIB, MIB, MIB + 4096),
    ),
  });
  const step = fc.record({ kind: fc.constantFrom('read', 'write', 'discard'), range });
  const run = fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
    const device = await open({ writable: true, overlayLimitBytes: 64 * MIB });
    const model = Buffer.from(disk);
    for (const { kind, range } of steps) {
      const bytes = Math.min(range.bytes, disk.length - range.at);
      if (kind === 'write') {
        const data = randomBytes(bytes);
        await device.write(range.at, data);
        data.copy(model, range.at);
      } else if (kind === 'discard') {
        await device.discard(range.at, bytes);
        model.fill(0, range.at, range.at + bytes);
      } else {
        const others = [0, 1, 2].map((index) => device.read(index * 3 * MIB, 4096));
        const got = await device.read(range.at, bytes);
        assert.ok(got.equals(model.subarray(range.at, range.at + bytes)));
        await Promise.all(others);
      }
    }
    assert.ok(model.equals(await device.read(0, disk.length)));
    for (const { lengthBytes, hole, at } of placed(device.extents(0, disk.length))) {
      if (hole) assert.ok(model.subarray(at, at + lengthBytes).every((byte) => byte === 0));
    }
    await device.close();
  });
  await fc.assert(run, { numRuns: propertyRuns(8) });
});

function placed(extents: readonly { lengthBytes: number; hole: boolean }[]) {
  let at = 0;
  return extents.map((extent) => {
    const start = at;
    at += extent.lengthBytes;
    return { ...extent, at: start };
  });
}
