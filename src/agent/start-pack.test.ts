import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { sealDisk } from '../../test/support/sealed-disk.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { CHUNK_SIZE_BYTES, PAGE_SIZE_BYTES, systemClock, systemRandom } from '../base/mod.ts';
import { ChunkSlots } from '../cache/mod.ts';
import { LocalDevice, type OpenDeviceRequest, type PageRun } from '../device/mod.ts';
import { memoryOrigin } from '../origin/mod.ts';
import {
  type ChunkName,
  type ChunkSource,
  packIdOf,
  packKey,
  readManifestHeader,
  sealChunk,
  sealPack,
} from '../seal/mod.ts';
import { buildPack } from './pack-builder.ts';

const PAGES_PER_CHUNK = CHUNK_SIZE_BYTES / PAGE_SIZE_BYTES;
const CHUNKS = 12;

/** Pages that compress to about a half, and no two alike. */
function someDisk(): Buffer {
  const disk = Buffer.alloc(CHUNKS * CHUNK_SIZE_BYTES);
  for (let at = 0; at < disk.length; at += PAGE_SIZE_BYTES) randomBytes(2048).copy(disk, at);
  disk.fill(0, CHUNK_SIZE_BYTES, 2 * CHUNK_SIZE_BYTES);
  return disk;
}

async function rig(t: TestContext) {
  const directory = temporaryDirectory(t, 'start-pack');
  const disk = someDisk();
  const origin = memoryOrigin({ clock: systemClock, random: systemRandom });
  const sealed = await sealDisk(disk, origin, join(directory, 'keys'));
  const overlayDirectory = join(directory, 'overlays');
  mkdirSync(overlayDirectory);
  const fetched: ChunkName[] = [];
  const gone = new Set<ChunkName>();
  const source: ChunkSource = {
    get: async (ref, signal) => {
      fetched.push(ref.name);
      return await origin.get(gone.has(ref.name) ? { ...ref, name: '0'.repeat(64) } : ref, signal);
    },
  };
  const readPages = async (runs: readonly PageRun[]) =>
    Buffer.concat(
      runs.map(([page, pages]) =>
        disk.subarray(page * PAGE_SIZE_BYTES, (page + pages) * PAGE_SIZE_BYTES),
      ),
    );
  const keyOfPack = () => packKey(sealed.dataKey, sealed.manifestId);
  return {
    ...{ disk, sealed, origin, fetched, gone, keyOfPack },
    pack: async (runs: readonly PageRun[]) => {
      const { manifestId, rootId, accountId } = sealed;
      const tools = { readPages, clock: systemClock, random: systemRandom };
      const facts = { manifestId, rootId, accountId, key: keyOfPack() };
      const { index, chunks } = await buildPack(facts, runs, tools);
      for (const { name, ciphertext } of chunks) {
        await origin.put({ rootId, name }, Buffer.from(ciphertext));
      }
      return Buffer.from(index);
    },
    open: async (options: Partial<OpenDeviceRequest> = {}, slots = 32) => {
      const device = await LocalDevice.open(
        { ...sealed, deviceId: 'disk', writable: false, ...options },
        {
          memory: new ChunkSlots(ChunkSlots.allocate(slots * CHUNK_SIZE_BYTES)),
          source,
          tierOf: () => 'origin',
          overlayDirectory,
          clock: systemClock,
          random: systemRandom,
        },
      );
      t.after(() => device.close().catch(() => {}));
      return device;
    },
  };
}

/** A few pages of each chunk but the zero one, in another order than on the disk. */
const SCATTERED: readonly PageRun[] = Array.from({ length: CHUNKS }, (_, index): PageRun => {
  const chunk = (index * 5) % CHUNKS;
  return [chunk * PAGES_PER_CHUNK + 3 + index, 6];
});

const bytesOf = ([page, pages]: PageRun) =>
  [page * PAGE_SIZE_BYTES, pages * PAGE_SIZE_BYTES] as const;

test('what a start touched comes from its pack, and nothing else is fetched', async (t) => {
  const { disk, pack, open, fetched } = await rig(t);
  const packed = await pack(SCATTERED);
  const device = await open({ pack: packed });
  for (const run of SCATTERED) {
    const [at, bytes] = bytesOf(run);
    assert.ok(disk.subarray(at, at + bytes).equals(await device.read(at, bytes)), `page ${run[0]}`);
  }
  const names = new Set(readManifestHeader(packed).names());
  assert.equal(names.size, 1);
  assert.deepEqual(new Set(fetched), names);
});

test('the same pack made again is the same chunks, and another disk’s is not', async (t) => {
  const { pack } = await rig(t);
  const namesOf = async (make: typeof pack) => [
    ...readManifestHeader(await make(SCATTERED)).names(),
  ];
  assert.deepEqual(await namesOf(pack), await namesOf(pack));
  const other = await rig(t);
  assert.notDeepEqual(await namesOf(other.pack), await namesOf(pack));
});

test('what the pack lacks, also in part of one read, comes from the disk’s chunks', async (t) => {
  const { disk, pack, open } = await rig(t);
  const device = await open({ pack: await pack(SCATTERED) });
  for (const run of SCATTERED) {
    const [at, bytes] = bytesOf(run);
    const [start, end] = [Math.max(0, at - 5000), Math.min(disk.length, at + bytes + 5000)];
    assert.ok(disk.subarray(start, end).equals(await device.read(start, end - start)));
  }
});

test('with any pack, in any order, every read has the disk’s bytes', async (t) => {
  const { disk, pack, open } = await rig(t);
  const pages = disk.length / PAGE_SIZE_BYTES;
  const run = fc
    .tuple(fc.nat(pages - 1), fc.integer({ min: 1, max: 200 }))
    .map(([page, count]): PageRun => [page, Math.min(count, pages - page)]);
  const read = fc.tuple(fc.nat(disk.length - 1), fc.integer({ min: 1, max: 300_000 }));
  const property = fc.asyncProperty(
    fc.uniqueArray(run, { minLength: 1, maxLength: 8, selector: ([page]) => page }),
    fc.array(read, { minLength: 1, maxLength: 12 }),
    fc.boolean(),
    async (runs, reads, atOnce) => {
      const device = await open({ pack: await pack(disjoint(runs)) }, 16);
      const check = async ([at, length]: [number, number]) => {
        const bytes = Math.min(length, disk.length - at);
        const found = await device.read(at, bytes);
        assert.ok(disk.subarray(at, at + bytes).equals(found), `${bytes} bytes at ${at}`);
      };
      if (atOnce) await Promise.all(reads.map(check));
      else for (const each of reads) await check(each);
      await device.close();
    },
  );
  await fc.assert(property, { numRuns: 15 });
});

/** Each page once, as a log has them. */
function disjoint(runs: readonly PageRun[]): PageRun[] {
  const seen = new Set<number>();
  const out: PageRun[] = [];
  for (const [page, pages] of runs) {
    for (let each = page; each < page + pages; each++) {
      if (!seen.has(each)) out.push([each, 1]);
      seen.add(each);
    }
  }
  return out;
}

test('a pack whose chunk is gone costs a start its help and no read', async (t) => {
  const { disk, pack, open, gone } = await rig(t);
  const packed = await pack(SCATTERED);
  for (const name of readManifestHeader(packed).names()) gone.add(name);
  const device = await open({ pack: packed });
  const reads = SCATTERED.map(async (run) => {
    const [at, bytes] = bytesOf(run);
    assert.ok(disk.subarray(at, at + bytes).equals(await device.read(at, bytes)));
  });
  await Promise.all(reads);
});

test('a chunk of the disk that is gone fails its read, pack or not', async (t) => {
  const { sealed, pack, open, gone } = await rig(t);
  const device = await open({ pack: await pack(SCATTERED) });
  for (const name of readManifestHeader(sealed.manifestBytes).names()) gone.add(name);
  const [at, bytes] = bytesOf([SCATTERED[0]![0] + 20, 1]);
  await assert.rejects(device.read(at, bytes), { code: 'CHUNK_MISSING' });
});

test('a pack that is altered, another disk’s or no pack at all is left alone', async (t) => {
  const { disk, sealed, pack, open, keyOfPack } = await rig(t);
  const packed = await pack(SCATTERED);
  const flipped = Buffer.from(packed);
  flipped[100]! ^= 1;
  const { manifestId, rootId, accountId } = sealed;
  const contents = { rootId, accountId, createdAtMs: 0, diskBytes: 0, chunks: [] };
  const seal = (id: string, metadata: Record<string, unknown>) =>
    sealPack({ ...contents, manifestId: id, metadata }, keyOfPack(), systemRandom);
  const none = { version: 1, runs: [], frames: [] };
  const wrong = {
    flipped,
    'another disk’s': seal(packIdOf('another'), none),
    'no metadata': seal(packIdOf(manifestId), {}),
    'beyond the disk': seal(packIdOf(manifestId), { ...none, runs: [[0, 1_000_000]] }),
    'pages without frames': seal(packIdOf(manifestId), { ...none, runs: [[0, 1]] }),
    'a manifest of the disk': sealed.manifestBytes,
  };
  for (const [what, bytes] of Object.entries(wrong)) {
    const device = await open({ pack: bytes });
    assert.ok(disk.subarray(0, 8192).equals(await device.read(0, 8192)), what);
    await device.close();
  }
});

test('a frame that does not open sends the start to the disk’s chunks', async (t) => {
  const { disk, sealed, origin, open, keyOfPack } = await rig(t);
  const { manifestId, rootId, accountId } = sealed;
  const bad = {
    'not zstd': Buffer.alloc(100, 7),
    'too few pages': zstdCompressSync(disk.subarray(0, 8192)),
    'more than its pages': zstdCompressSync(Buffer.alloc(64 * PAGE_SIZE_BYTES + 1)),
  };
  for (const [what, frame] of Object.entries(bad)) {
    const stored = Buffer.alloc(CHUNK_SIZE_BYTES);
    frame.copy(stored);
    const key = randomBytes(32);
    const chunk = sealChunk(key, stored);
    await origin.put({ rootId, name: chunk.name }, chunk.ciphertext);
    const contents = {
      ...{ rootId, accountId, createdAtMs: 0, manifestId: packIdOf(manifestId) },
      ...{ diskBytes: frame.length, chunks: [chunk] },
      metadata: { version: 1, runs: [[0, 64]], frames: [frame.length] },
    };
    const device = await open({ pack: sealPack(contents, keyOfPack(), systemRandom) });
    assert.ok(disk.subarray(0, 8192).equals(await device.read(0, 8192)), what);
    await device.close();
  }
});
