import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CHUNK_SIZE_BYTES,
  limits,
  noLogger,
  noMeter,
  SluiceError,
  VirtualClock,
} from '../base/mod.ts';
import type { AccessLog, BuiltPack, PageRun } from '../device/mod.ts';
import type { PutOutcome } from '../seal/mod.ts';
import { PackKeeper } from './pack-keeper.ts';

const BUILT: BuiltPack = {
  index: Buffer.from('index'),
  chunks: [{ name: 'c', ciphertext: Buffer.alloc(CHUNK_SIZE_BYTES) }],
};

function rig() {
  const clock = new VirtualClock();
  const put: string[] = [];
  const origin = {
    put: async ({ rootId, name }: { rootId: string; name: string }): Promise<PutOutcome> => {
      put.push(`${rootId}/${name}`);
      return 'stored';
    },
    putPack: async (rootId: string, manifestId: string, bytes: Buffer) => {
      put.push(`${rootId}/${manifestId}: ${bytes}`);
    },
  };
  const packs = new PackKeeper({ origin, clock, meter: noMeter, logger: noLogger });
  const asked: (readonly PageRun[])[] = [];
  const device = {
    pack: async (runs: readonly PageRun[]) => {
      asked.push(runs);
      return BUILT;
    },
  };
  const keep = (manifestId: string, isRenewed = false, on: typeof device = device, of = 'a') => {
    const log: AccessLog = { manifestId, runs: [[7, 2, 15]] };
    packs.keep({ log, rootId: 'r', accountId: of, device: on, isRenewed });
  };
  return { clock, packs, put, asked, keep };
}

const { packDelayMs, packRenewMs, packsWaiting, packsWaitingPerAccount } = limits.device;

test('a pack is made some time after the start, chunks before the index', async () => {
  const { clock, keep, put, asked } = rig();
  keep('m');
  await clock.advance(packDelayMs - 1);
  assert.deepEqual(asked, []);
  await clock.advance(1);
  assert.deepEqual(asked, [[[7, 2]]]);
  assert.deepEqual(put, ['r/c', 'r/m: index']);
});

test('of many starts of one disk at once one pack is made', async () => {
  const { clock, keep, asked } = rig();
  for (let start = 0; start < 5; start++) keep('m');
  await clock.advance(10 * packDelayMs);
  keep('m');
  await clock.advance(10 * packDelayMs);
  assert.equal(asked.length, 1);
});

test('a disk that starts differently each time has its pack renewed once an hour, no more', async () => {
  const { clock, keep, asked } = rig();
  keep('m');
  const startsEveryMs = packRenewMs / 60;
  for (let start = 0; start < 150; start++) {
    keep('m', true);
    await clock.advance(startsEveryMs);
  }
  assert.equal(asked.length, 3);
});

test('a pack of more or other chunks than a pack has is not kept', async () => {
  const { clock, keep, put } = rig();
  const [chunk] = BUILT.chunks;
  const many = Array.from({ length: limits.device.packChunks + 1 }, () => chunk!);
  const short = [{ name: 'c', ciphertext: Buffer.alloc(10) }];
  for (const [index, chunks] of [many, short].entries()) {
    keep(`m-${index}`, false, { pack: async () => ({ ...BUILT, chunks }) });
  }
  await clock.advance(10 * packDelayMs);
  assert.deepEqual(put, []);
});

test('one account’s packs do not keep another’s from being made', async () => {
  const { clock, keep, asked } = rig();
  for (let disk = 0; disk < packsWaiting + 3; disk++) keep(`m-${disk}`);
  keep('other', false, undefined, 'b');
  await clock.advance(20 * packDelayMs);
  assert.equal(asked.length, packsWaitingPerAccount + 1);
});

test('a pack that could not be made is made by a later start', async () => {
  const { clock, keep, asked } = rig();
  const closed = {
    pack: async () => Promise.reject(new SluiceError('DEVICE_CLOSED', 'd: not open')),
  };
  keep('m', false, closed);
  await clock.advance(packDelayMs);
  keep('m');
  await clock.advance(packDelayMs);
  assert.equal(asked.length, 1);
});

test('a limited number waits, and none is made once it is closed', async () => {
  const { clock, packs, keep, asked } = rig();
  for (let disk = 0; disk < packsWaiting + 3; disk++)
    keep(`m-${disk}`, false, undefined, `${disk}`);
  await clock.advance(packDelayMs);
  assert.equal(asked.length, 1);
  await clock.advance(packsWaiting * packDelayMs);
  assert.equal(asked.length, packsWaiting);
  keep('later');
  await packs.close();
  await clock.advance(10 * packDelayMs);
  assert.equal(asked.length, packsWaiting);
});
