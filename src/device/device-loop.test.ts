import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import {
  CHUNK_SIZE_BYTES,
  isSluiceError,
  KIB,
  limits,
  MIB,
  PAGE_SIZE_BYTES,
  SeededRandom,
  SluiceError,
  systemRandom,
  VirtualClock,
} from '../base/mod.ts';
import { errno, type FuseReplies } from '../fuse/mod.ts';
import { sealChunk } from '../seal/mod.ts';
import { DeviceLoop } from './device-loop.ts';
import { load, memoryWith, sealChunks } from './disk.fixture.ts';
import type { LoopCommand, LoopReport } from './messages.ts';
import { toDeviceRequest } from './open-device.ts';

const CHUNK = CHUNK_SIZE_BYTES;
const PAGE = PAGE_SIZE_BYTES;
const random = new SeededRandom(5);
const isError = (code: string) => (error: unknown) =>
  error instanceof SluiceError && error.code === code;

/** Notes what a request was answered. */
class Replies implements FuseReplies {
  readonly payload = Buffer.alloc(limits.device.fuseMaxReadBytes);
  readonly said: string[] = [];
  bytes = Buffer.alloc(0);
  error: unknown;

  replyPayload(unique: number, bytes: number): void {
    this.bytes = Buffer.from(this.payload.subarray(0, bytes));
    this.said.push(`${unique} payload`);
  }

  replyFrom(unique: number, data: Buffer, at: number, bytes: number): void {
    this.bytes = Buffer.from(data.subarray(at, at + bytes));
    this.said.push(`${unique} from`);
  }

  replyWritten(unique: number, bytes: number): void {
    this.said.push(`${unique} written ${bytes}`);
  }

  replyDone(unique: number): void {
    this.said.push(`${unique} done`);
  }

  replyFailure(unique: number, error: unknown): void {
    this.error = error;
    this.said.push(`${unique} failed`);
  }
}

async function bench(t: TestContext, chunkCount = 3, slots = 8) {
  const overlayDirectory = join(temporaryDirectory(t, 'loop'), 'overlays');
  mkdirSync(overlayDirectory);
  const clock = new VirtualClock(0, 1000);
  const memory = memoryWith(slots);
  const commands: LoopCommand[] = [];
  const reports: LoopReport[] = [];
  const loop = new DeviceLoop({
    ...{ memory, clock, random, overlayDirectory, firstNodeId: 7 },
    nextCommand: () => commands.shift(),
    report: (report) => reports.push(report),
  });
  t.after(() => loop.closeAll());
  const plaintexts = Array.from({ length: chunkCount }, () => systemRandom.bytes(CHUNK));
  const sealed = plaintexts.map((plaintext) => sealChunk(random.bytes(32), plaintext));
  const disk = Buffer.concat(plaintexts);
  const request = await sealChunks(random, 'disk', sealed);
  let id = 0;
  const ask = (command: (id: number) => LoopCommand): LoopReport | undefined => {
    commands.push(command(++id));
    loop.awakened();
    return reports.find((each) => each.type !== 'fetch' && each.id === id);
  };
  const open = (more: object = {}) =>
    ask((each) => ({ type: 'open', id: each, device: toDeviceRequest({ ...request, ...more }) }));
  const fetches = () => reports.flatMap((each) => (each.type === 'fetch' ? [each] : []));
  /** Brings what was asked for, as the filling thread does. */
  const deliver = () => {
    for (const each of reports.splice(0)) {
      if (each.type !== 'fetch') continue;
      const chunk = sealed.find(({ name }) => name === each.name) ?? assert.fail(each.name);
      chunk.ciphertext.copy(memory.bytes, memory.offsetOf(each.slot));
      commands.push({ type: 'filled', slot: each.slot, tier: 'origin' });
    }
    loop.awakened();
    return [...reports];
  };
  const stats = () => {
    const report = ask((each) => ({ type: 'stats', id: each, deviceId: 'disk' }));
    return (report?.type === 'answer' ? report.stats : undefined) ?? assert.fail('no stats');
  };
  const replies = new Replies();
  return {
    loop,
    clock,
    memory,
    commands,
    ask,
    open,
    fetches,
    deliver,
    stats,
    replies,
    sealed,
    disk,
  };
}

const NODE = 7;

test('a device is shown under its name and node until it is closed', async (t) => {
  const { loop, open, ask, replies } = await bench(t);
  assert.deepEqual(loop.all(), []);
  assert.equal(open()?.type, 'answer');
  const shown = { nodeId: NODE, name: 'disk', sizeBytes: 3 * CHUNK, writable: false };
  for (const file of [loop.byName('disk'), loop.byNode(NODE), ...loop.all()]) {
    const { nodeId, name, sizeBytes, writable } = file ?? assert.fail('it is shown');
    assert.deepEqual({ nodeId, name, sizeBytes, writable }, shown);
  }
  const last = ask((id) => ({ type: 'close', id, deviceId: 'disk' }));
  assert.ok(last?.type === 'answer' && last.stats?.reads === 0);
  assert.deepEqual(
    [loop.byName('disk'), loop.byNode(NODE), loop.all()],
    [undefined, undefined, []],
  );
  assert.throws(() => loop.read(replies, 1, NODE, 0, 1), isError('DEVICE_CLOSED'));
  for (const type of ['close', 'stats', 'log'] as const) {
    const refused = ask((id) => ({ type, id, deviceId: 'disk' }));
    assert.ok(refused?.type === 'refusal' && refused.failure.code === 'DEVICE_CLOSED', type);
  }
  assert.equal(open()?.type, 'answer');
  assert.equal(loop.byName('disk')?.nodeId, NODE + 1, 'a node id is not used twice');
});

test('a read that lacks a chunk is answered when it comes, and counted from its beginning', async (t) => {
  const { loop, clock, open, fetches, deliver, stats, replies, disk, sealed } = await bench(t);
  open();
  loop.read(replies, 3, NODE, CHUNK + 10, 100);
  assert.deepEqual(replies.said, []);
  const [fetch, ...others] = fetches();
  assert.deepEqual([fetch?.name, fetch?.rootId, fetch?.ahead], [sealed[1]?.name, 'root', false]);
  assert.equal(others.length, 0);
  clock.jump(4);
  deliver();
  assert.deepEqual(replies.said, ['3 payload']);
  assert.ok(replies.bytes.equals(disk.subarray(CHUNK + 10, CHUNK + 110)));
  const { tiers, chunksFetched, bytesFetched } = stats();
  assert.deepEqual([tiers.origin.reads, tiers.origin.bytes], [1, 100]);
  assert.equal(tiers.origin.latencyUs.indexOf(1), 12, 'four milliseconds');
  assert.deepEqual([chunksFetched, bytesFetched], [1, CHUNK]);
  clock.jump(1);
  loop.read(replies, 4, NODE, CHUNK + 10, 100);
  assert.equal(replies.said[1], '4 payload');
  assert.deepEqual([stats().tiers.memory.reads, stats().tiers.memory.latencyUs[0]], [1, 1]);
});

test('a large read of a chunk in memory is answered from there, without a copy', async (t) => {
  const { loop, memory, open, stats, replies, disk, sealed } = await bench(t);
  open({ writable: true });
  for (const chunk of sealed) load(memory, chunk);
  const read = (offset: number, bytes: number) => {
    loop.read(replies, 1, NODE, offset, bytes);
    assert.ok(replies.bytes.equals(disk.subarray(offset, offset + bytes)));
    return replies.said.pop();
  };
  assert.equal(read(PAGE, 64 * KIB), '1 from');
  assert.equal(read(PAGE, 64 * KIB - 1), '1 payload');
  assert.equal(read(CHUNK - PAGE, 64 * KIB), '1 payload', 'of two chunks');
  assert.equal(stats().tiers.memory.reads, 3);
  const data = systemRandom.bytes(PAGE);
  loop.write(replies, 2, NODE, 2 * PAGE, data, 0, PAGE);
  data.copy(disk, 2 * PAGE);
  assert.equal(replies.said.pop(), `2 written ${PAGE}`);
  assert.equal(read(PAGE, 64 * KIB), '1 payload', 'what was written shows');
  assert.deepEqual([stats().writes, stats().writtenBytes, stats().overlayBytes], [1, PAGE, PAGE]);
});

test('a write and a discard that lack a chunk are done when it comes, with the bytes as they were', async (t) => {
  const { loop, open, deliver, stats, replies, disk } = await bench(t);
  open({ writable: true });
  const data = Buffer.alloc(300, 1);
  loop.write(replies, 1, NODE, 50, data, 100, 200);
  loop.discard(replies, 2, NODE, CHUNK + 5, 10);
  data.fill(9);
  assert.deepEqual(replies.said, []);
  deliver();
  assert.deepEqual(replies.said.sort(), ['1 written 200', '2 done']);
  disk.fill(1, 50, 250);
  disk.fill(0, CHUNK + 5, CHUNK + 15);
  loop.read(replies, 3, NODE, 0, PAGE);
  assert.ok(replies.bytes.equals(disk.subarray(0, PAGE)));
  loop.read(replies, 4, NODE, CHUNK, PAGE);
  assert.ok(replies.bytes.equals(disk.subarray(CHUNK, CHUNK + PAGE)));
  assert.deepEqual([stats().writes, stats().writtenBytes], [1, 200]);
  loop.discard(replies, 5, NODE, 0, PAGE);
  assert.equal(replies.said.at(-1), '5 done', 'a discard of whole pages waits for nothing');
  const [extent] = loop.extents(NODE, 0, PAGE);
  assert.deepEqual(extent, { lengthBytes: PAGE, hole: true });
});

test('what waits for a chunk that does not come fails with its error and is counted', async (t) => {
  const { loop, memory, commands, open, fetches, stats, replies } = await bench(t);
  open({ writable: true });
  loop.read(replies, 1, NODE, 0, 10);
  loop.write(replies, 2, NODE, 5, Buffer.alloc(10), 0, 10);
  loop.discard(replies, 3, NODE, 5, 10);
  const slot = fetches()[0]?.slot ?? assert.fail();
  const failure = new SluiceError('ORIGIN_UNAVAILABLE', 'away', { data: { attempts: 2 } }).toJSON();
  commands.push({ type: 'unfilled', slot, failure });
  loop.awakened();
  assert.deepEqual(replies.said, ['1 failed', '2 failed', '3 failed']);
  assert.ok(isSluiceError(replies.error, 'ORIGIN_UNAVAILABLE'));
  assert.equal(replies.error.data['attempts'], 2);
  assert.deepEqual([stats().failedReads, stats().writes], [1, 0]);
  assert.equal(memory.find('c'), -1);
  loop.read(replies, 4, NODE, 0, 10);
  assert.equal(fetches().length, 2, 'the next read asks again');
});

test('pages for a start pack are answered in their order, once their chunks have come', async (t) => {
  const { loop, commands, open, fetches, deliver, disk } = await bench(t);
  open();
  const answers: LoopReport[] = [];
  const runs = [
    [128, 2],
    [3, 1],
    [257, 3],
  ] as const;
  commands.push({ type: 'pages', id: 99, deviceId: 'disk', runs });
  loop.awakened();
  for (let round = 0; round < 3; round++) {
    assert.equal(fetches().length, 1, 'one chunk after the other');
    answers.push(...deliver());
  }
  const expected = runs.map(([page, pages]) => disk.subarray(page * PAGE, (page + pages) * PAGE));
  const answer = answers.find((each) => each.type === 'answer');
  assert.ok(answer?.type === 'answer' && answer.id === 99 && answer.pages);
  assert.ok(Buffer.from(answer.pages).equals(Buffer.concat(expected)));
});

test('closing a device fails what it waits for', async (t) => {
  const { loop, open, ask, replies } = await bench(t);
  open();
  loop.read(replies, 1, NODE, 0, 10);
  ask((id) => ({ type: 'close', id, deviceId: 'disk' }));
  assert.deepEqual(replies.said, ['1 failed']);
  assert.ok(isSluiceError(replies.error, 'DEVICE_CLOSED'));
});

test('what was read is told where it was asked for, page by page', async (t) => {
  const { loop, clock, open, ask, replies } = await bench(t);
  const runs = () => {
    const report = ask((id) => ({ type: 'log', id, deviceId: 'disk' }));
    return report?.type === 'answer' ? report.runs : assert.fail('no log');
  };
  open({ record: true });
  clock.jump(30);
  loop.read(replies, 1, NODE, 3 * PAGE, 2 * PAGE);
  assert.deepEqual(runs(), [[3, 2, 30]]);
  ask((id) => ({ type: 'close', id, deviceId: 'disk' }));
  open();
  loop.read(replies, 1, NODE + 1, 3 * PAGE, 2 * PAGE);
  assert.deepEqual(runs(), []);
});

test('reading on into the next chunk asks for the one after it, unless a log knows better', async (t) => {
  for (const replayed of [false, true]) {
    const { loop, open, fetches, deliver, replies, sealed } = await bench(t, 5);
    const replay = { manifestId: 'disk', runs: [[0, 1, 0] as const] };
    open(replayed ? { replay } : {});
    deliver();
    loop.read(replies, 1, NODE, 0, 10);
    deliver();
    loop.read(replies, 2, NODE, CHUNK, 10);
    deliver();
    loop.read(replies, 3, NODE, CHUNK + PAGE, 10);
    const asked = fetches().map(({ name, ahead }) => [name, ahead]);
    assert.deepEqual(asked, replayed ? [] : asked.slice(0, 1));
    if (!replayed) {
      loop.read(replies, 4, NODE, 2 * CHUNK, 10);
      assert.ok(replies.said.includes('4 payload') || fetches().length > 0);
    }
    assert.ok(sealed.length === 5);
  }
});

test('errors become the numbers that the kernel knows', async (t) => {
  const { loop } = await bench(t);
  const table: [unknown, number][] = [
    [new SluiceError('DEVICE_FULL', 'd'), errno.ENOSPC],
    [new SluiceError('DISK_FULL', 'd'), errno.ENOSPC],
    [Object.assign(new Error('w'), { code: 'ENOSPC' }), errno.ENOSPC],
    [new SluiceError('DEVICE_CLOSED', 'd'), errno.ESTALE],
    [new SluiceError('CHUNK_CORRUPT', 'c'), errno.EIO],
    [new Error('anything'), errno.EIO],
  ];
  for (const [error, number] of table) assert.equal(loop.errnoOf(error), number, String(error));
});

test('an agent shows a limited number of devices, and refuses a manifest that does not open', async (t) => {
  const { loop, open } = await bench(t);
  const refused = open({ dataKey: Buffer.alloc(32) });
  assert.ok(refused?.type === 'refusal' && refused.failure.code === 'MANIFEST_TAMPERED');
  assert.deepEqual(loop.all(), []);
  assert.throws(() => open({ deviceId: '../up' }), isError('USAGE'));
  assert.throws(() => open({ deviceId: 'x'.repeat(129) }), isError('USAGE'));
  assert.equal(open({ deviceId: 'x'.repeat(128) })?.type, 'answer');
});

test('an overlay holds what the device was opened with, or the usual', async (t) => {
  const { loop, open, replies } = await bench(t);
  open({ writable: true, overlayLimitBytes: PAGE });
  loop.write(replies, 1, NODE, 0, Buffer.alloc(PAGE), 0, PAGE);
  const second = () => loop.write(replies, 2, NODE, PAGE, Buffer.alloc(PAGE), 0, PAGE);
  assert.throws(second, isError('DEVICE_FULL'));
  assert.equal(limits.device.overlayBytes, 512 * MIB);
});
