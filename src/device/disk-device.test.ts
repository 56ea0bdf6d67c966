import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  CHUNK_SIZE_BYTES,
  isSluiceError,
  PAGE_SIZE_BYTES,
  SeededRandom,
  systemRandom,
} from '../base/mod.ts';
import { openManifest } from '../seal/mod.ts';
import { DeviceCounters } from './device-counters.ts';
import { diskOf, load, memoryWith, sealChunks } from './disk.fixture.ts';
import { DiskDevice } from './disk-device.ts';
import { PlainPages } from './plain-pages.ts';

const CHUNK = CHUNK_SIZE_BYTES;
const PAGE = PAGE_SIZE_BYTES;
const random = new SeededRandom(23);
const filled = () => systemRandom.bytes(CHUNK);

/** Reads into the middle of a larger buffer, around which nothing may change. */
function read(disk: DiskDevice, at: number, length: number): Buffer | undefined {
  const into = Buffer.alloc(length + 20, 0xee);
  if (!disk.read(at, length, into, 10)) return undefined;
  const around = Buffer.concat([into.subarray(0, 10), into.subarray(length + 10)]);
  assert.ok(around.equals(Buffer.alloc(20, 0xee)), 'a read stays within its place');
  return into.subarray(10, 10 + length);
}

const isFull = (error: unknown) => isSluiceError(error, 'DEVICE_FULL');

test('reads, writes and discards of any alignment behave as on plain bytes', async (t) => {
  const { disk, bytes, memory, overlay } = await diskOf(t, random, [
    ...[filled(), undefined, filled(), filled(), undefined],
  ]);
  const placed = new Set<number>();
  const near = [0, 1, 2, 3, 4].flatMap((chunk) =>
    [0, PAGE, 3 * PAGE].map((at) => chunk * CHUNK + at),
  );
  const lengths = [1, 9, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 5 * PAGE, CHUNK - PAGE, CHUNK + PAGE];
  const pick = <T>(from: readonly T[]) => from[Math.floor(random.float() * from.length)] as T;
  for (let step = 0; step < 400; step++) {
    const at = Math.max(0, pick(near) + pick([-PAGE, -9, -1, 0, 0, 0, 1, 9]));
    const length = Math.min(pick(lengths), bytes.length - at);
    const kind = pick(['read', 'write', 'discard'] as const);
    const pages = [Math.floor(at / PAGE), Math.ceil((at + length) / PAGE)] as const;
    if (kind === 'write') {
      const data = random.bytes(length + 6);
      assert.equal(disk.write(at, length, data, 3), true);
      data.copy(bytes, at, 3, 3 + length);
      for (let page = pages[0]; page < pages[1]; page++) placed.add(page);
    } else if (kind === 'discard') {
      assert.equal(disk.discard(at, length), true);
      bytes.fill(0, at, at + length);
      for (let page = pages[0]; page < pages[1]; page++) {
        if (page * PAGE >= at && (page + 1) * PAGE <= at + length) placed.delete(page);
        else placed.add(page);
      }
    }
    const [from, to] = [Math.max(0, at - 100), Math.min(bytes.length, at + length + 100)];
    assert.ok(
      read(disk, from, to - from)?.equals(bytes.subarray(from, to)),
      `step ${step}: ${kind}`,
    );
    assert.equal(overlay?.storedPages, placed.size, `step ${step}: ${kind} of ${length} at ${at}`);
    const place = disk.locate(from, to - from);
    if (place >= 0) {
      const shown = memory.bytes.subarray(place, place + to - from);
      assert.ok(shown.equals(bytes.subarray(from, to)));
    }
    checkExtents(disk, bytes, from, to - from);
  }
  assert.ok(read(disk, 0, bytes.length)?.equals(bytes));
});

function checkExtents(disk: DiskDevice, bytes: Buffer, offset: number, length: number): void {
  const extents = disk.extents(offset, length);
  let at = offset;
  for (const [index, { lengthBytes, hole }] of extents.entries()) {
    assert.ok(lengthBytes > 0 && extents[index - 1]?.hole !== hole);
    const part = bytes.subarray(at, at + lengthBytes);
    if (hole) assert.ok(part.equals(Buffer.alloc(lengthBytes)), 'a hole reads as zeros');
    at += lengthBytes;
  }
  assert.equal(at, offset + length, 'extents have no gaps');
}

test('extents are whole chunks until something is written, then what is written and discarded', async (t) => {
  const { disk } = await diskOf(t, random, [filled(), undefined, filled()]);
  const of = (offset: number, length: number) =>
    disk.extents(offset, length).map(({ lengthBytes, hole }) => [lengthBytes, hole]);
  assert.deepEqual(of(0, 3 * CHUNK), [
    [CHUNK, false],
    [CHUNK, true],
    [CHUNK, false],
  ]);
  assert.deepEqual(of(CHUNK - 10, 20), [
    [10, false],
    [10, true],
  ]);
  assert.deepEqual(of(5, 0), []);
  disk.write(CHUNK + 2 * PAGE, PAGE, random.bytes(PAGE), 0);
  disk.discard(PAGE, 2 * PAGE);
  assert.deepEqual(of(0, 2 * CHUNK), [
    [PAGE, false],
    [2 * PAGE, true],
    [CHUNK - 3 * PAGE, false],
    [2 * PAGE, true],
    [PAGE, false],
    [CHUNK - 3 * PAGE, true],
  ]);
});

test('a range lies in memory as it is only within one chunk that is there, unwritten', async (t) => {
  const { disk, bytes, memory } = await diskOf(t, random, [filled(), undefined, filled()], {
    loaded: (chunk) => chunk === 0,
  });
  const place = disk.locate(PAGE + 3, 5 * PAGE);
  const shown = memory.bytes.subarray(place, place + 5 * PAGE);
  assert.ok(shown.equals(bytes.subarray(PAGE + 3, 6 * PAGE + 3)));
  assert.ok(disk.locate(CHUNK - PAGE, PAGE) >= 0, 'up to the end of the chunk');
  assert.equal(disk.locate(CHUNK - PAGE, PAGE + 1), -1);
  assert.equal(disk.locate(CHUNK, PAGE), -1, 'a zero chunk lies nowhere');
  assert.equal(disk.locate(2 * CHUNK, PAGE), -1, 'it is not there yet');
  disk.discard(PAGE, PAGE);
  assert.equal(disk.locate(0, PAGE), -1);
});

test('a call that lacks chunks names each once and changes nothing', async (t) => {
  const { disk, bytes, memory, overlay, sealed } = await diskOf(
    ...[t, random, [filled(), undefined, filled(), filled()], { loaded: () => false }],
  );
  const lacks = () => [...disk.missing.subarray(0, disk.missingCount)];
  assert.ok(!read(disk, 10, 2 * CHUNK));
  assert.deepEqual(lacks(), [0, 2]);
  assert.ok(!read(disk, CHUNK - 1, 1));
  assert.deepEqual(lacks(), [0]);
  const data = random.bytes(2 * PAGE);
  for (const [at, length] of [
    [1, PAGE],
    [0, PAGE + 1],
    [5, 10],
  ] as const) {
    assert.equal(disk.write(at, length, data, 0), false);
    assert.deepEqual(lacks(), [0], `a write of ${length} at ${at}`);
    assert.equal(disk.discard(at, length), false);
    assert.deepEqual(lacks(), [0], `a discard of ${length} at ${at}`);
  }
  assert.deepEqual([overlay?.storedPages, overlay?.touched], [0, false]);
  assert.ok(read(disk, CHUNK, CHUNK)?.equals(Buffer.alloc(CHUNK)));
  assert.deepEqual(lacks(), []);
  for (const chunk of sealed) if (chunk) load(memory, chunk);
  assert.ok(read(disk, 0, bytes.length)?.equals(bytes));
});

test('what is written or discarded whole needs no chunk, and a chunk only where it shows through', async (t) => {
  const { disk } = await diskOf(t, random, [filled(), filled()], { loaded: () => false });
  const data = random.bytes(4 * PAGE);
  assert.equal(disk.write(CHUNK - 2 * PAGE, 4 * PAGE, data, 0), true);
  assert.equal(disk.discard(PAGE, PAGE), true);
  assert.ok(read(disk, CHUNK - 2 * PAGE, 4 * PAGE)?.equals(data));
  assert.ok(read(disk, CHUNK - 2 * PAGE + 7, PAGE)?.equals(data.subarray(7, PAGE + 7)));
  assert.ok(read(disk, PAGE, PAGE)?.equals(Buffer.alloc(PAGE)));
  assert.ok(!read(disk, CHUNK - 2 * PAGE - 1, 4 * PAGE));
  assert.deepEqual([disk.missingCount, disk.missing[0]], [1, 0]);
  assert.equal(disk.write(CHUNK - 2 * PAGE + 5, PAGE, data, 0), true, 'both of its ends are there');
});

test('a full overlay takes no further page, changes nothing, and has room again after a discard', async (t) => {
  const { disk, bytes, overlay } = await diskOf(t, random, [filled()], {
    limitBytes: 3 * PAGE + 1,
  });
  const data = random.bytes(4 * PAGE);
  disk.write(0, 2 * PAGE, data, 0);
  data.copy(bytes, 0, 0, 2 * PAGE);
  const full = { code: 'DEVICE_FULL', data: { limitBytes: 3 * PAGE } };
  assert.throws(() => disk.write(PAGE, 3 * PAGE, data, 0), full);
  assert.throws(() => disk.write(5 * PAGE + 1, 2 * PAGE, data, 0), isFull);
  assert.ok(read(disk, 0, 8 * PAGE)?.equals(bytes.subarray(0, 8 * PAGE)));
  assert.equal(overlay?.storedPages, 2);
  disk.write(PAGE, 2 * PAGE, data, 0);
  assert.throws(() => disk.write(4 * PAGE, 1, data, 0), isFull);
  disk.write(0, 3 * PAGE, data, PAGE);
  assert.ok(read(disk, 0, 3 * PAGE)?.equals(data.subarray(PAGE)), 'what is there can be rewritten');
  disk.discard(0, PAGE);
  disk.discard(0, PAGE);
  disk.write(4 * PAGE, PAGE, data, 0);
  assert.throws(() => disk.write(0, PAGE, data, 0), isFull, 'a discard gives its room back once');
});

test('a chunk that was pushed out and came again is opened again', async (t) => {
  const plaintext = filled();
  const { disk, memory, sealed } = await diskOf(t, random, [plaintext], { writable: false });
  const chunk = sealed[0] ?? assert.fail();
  const readSome = () => {
    for (const at of [9 * PAGE, 0, 31 * PAGE, 32 * PAGE, 127 * PAGE, 8 * PAGE + 1]) {
      const length = Math.min(3 * PAGE, CHUNK - at);
      assert.ok(read(disk, at, length)?.equals(plaintext.subarray(at, at + length)));
    }
  };
  readSome();
  const ciphertext = Buffer.alloc(CHUNK, 7);
  for (let n = 0; memory.find(chunk.name) >= 0; n++)
    load(memory, { name: `other-${n}`, ciphertext });
  assert.ok(!read(disk, 0, PAGE), 'what lies in its place is not shown for it');
  load(memory, chunk);
  readSome();
});

test('pages are read as they were sealed too, whatever was written since', async (t) => {
  const { disk, bytes } = await diskOf(t, random, [filled(), undefined, filled()], {
    loaded: (chunk) => chunk === 0,
  });
  disk.write(0, 4 * PAGE, random.bytes(4 * PAGE), 0);
  const into = Buffer.alloc(3 * PAGE, 0xee);
  assert.equal(disk.readSealed(CHUNK - 2 * PAGE, 2 * PAGE, into, 7), true, 'to the chunk’s end');
  assert.ok(into.subarray(7, 2 * PAGE + 7).equals(bytes.subarray(CHUNK - 2 * PAGE, CHUNK)));
  assert.equal(disk.readSealed(PAGE, PAGE, into, 0), true);
  assert.ok(into.subarray(0, PAGE).equals(bytes.subarray(PAGE, 2 * PAGE)));
  assert.equal(disk.readSealed(CHUNK + PAGE, PAGE, into, PAGE), true);
  assert.ok(into.subarray(PAGE, 2 * PAGE).equals(Buffer.alloc(PAGE)), 'a zero chunk');
  assert.equal(disk.missingCount, 0);
  assert.equal(disk.readSealed(2 * CHUNK, PAGE, into, 0), false);
  assert.deepEqual([disk.missingCount, disk.missing[0]], [1, 2]);
  assert.throws(() => disk.readSealed(CHUNK - PAGE, 2 * PAGE, into, 0), { code: 'INTERNAL' });
});

test('reading on into the next chunk is noticed once', async (t) => {
  const { disk, memory, sealed } = await diskOf(t, random, [filled(), filled(), filled()], {
    loaded: (chunk) => chunk === 0,
  });
  assert.ok(read(disk, 0, PAGE));
  assert.equal(disk.chunks.takeStreamed(), -1, 'the first of a disk follows none');
  assert.ok(!read(disk, 2 * CHUNK, PAGE));
  assert.equal(disk.chunks.takeStreamed(), -1, 'the one before it was not read');
  assert.ok(!read(disk, CHUNK, PAGE));
  assert.equal(disk.chunks.takeStreamed(), 1);
  assert.equal(disk.chunks.takeStreamed(), -1);
  disk.chunks.expect(1);
  load(memory, sealed[1] ?? assert.fail());
  assert.ok(read(disk, CHUNK, PAGE));
  assert.equal(disk.chunks.takeStreamed(), 1, 'also where it was fetched ahead');
  assert.ok(read(disk, CHUNK, PAGE));
  assert.equal(disk.chunks.takeStreamed(), -1);
});

test('each read says where its bytes came from', async (t) => {
  const { disk, counters } = await diskOf(t, random, [filled(), undefined, filled()]);
  const tierOf = (at: number, length: number) => {
    const before = counters.stats(0).tiers;
    counters.begin(0);
    read(disk, at, length);
    counters.read(length, 0);
    const { tiers } = counters.stats(0);
    return Object.entries(tiers).find(
      ([tier, { reads }]) => reads > before[tier as keyof typeof before].reads,
    )?.[0];
  };
  assert.equal(tierOf(CHUNK, PAGE), 'zero');
  assert.equal(tierOf(0, PAGE), 'memory');
  assert.equal(tierOf(CHUNK - PAGE, 2 * PAGE), 'memory', 'the farthest counts');
  disk.write(CHUNK, PAGE, random.bytes(PAGE), 0);
  assert.equal(tierOf(CHUNK, 2 * PAGE), 'overlay');
  assert.equal(tierOf(CHUNK + 3, 9), 'overlay');
});

test('a disk of other chunks or broken pages is no device', async (t: TestContext) => {
  const shown = async (more: { diskBytes?: number; chunkSizeBytes?: number }) => {
    const { manifestBytes, dataKey } = await sealChunks(random, 'odd', [undefined], more);
    const memory = memoryWith(1);
    const plainPages = new PlainPages(memory);
    const manifest = openManifest(manifestBytes, dataKey);
    return new DiskDevice({ manifest, memory, plainPages, counters: new DeviceCounters() });
  };
  t.after(() => {});
  const malformed = (error: unknown) => isSluiceError(error, 'MANIFEST_MALFORMED');
  await assert.rejects(shown({ diskBytes: CHUNK - 1 }), malformed);
  await assert.rejects(shown({ diskBytes: 4096, chunkSizeBytes: 4096 }), malformed);
  assert.deepEqual((await shown({ diskBytes: CHUNK - PAGE })).sizeBytes, CHUNK - PAGE);
});
