import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, noLogger, noMeter, SluiceError, VirtualClock } from '../base/mod.ts';
import type { BuiltPack, PageRun } from '../device/mod.ts';
import type { PutOutcome } from '../seal/mod.ts';
import { PackKeeper } from './pack-keeper.ts';

const BUILT: BuiltPack = {
  index: Buffer.from('index'),
  chunks: [{ name: 'c', ciphertext: Buffer.from('sealed') }],
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
  const keep = (manifestId: string, isRenewed = false, on = device) =>
    packs.keep({ log: { manifestId, runs: [[7, 2, 15]] }, rootId: 'r', device: on, isRenewed });
  return { clock, packs, put, asked, keep };
}

const { packDelayMs, packsWaiting } = limits.device;

test('a pack is made some time after the start, chunks before the index', async () => {
  const { clock, keep, put, asked } = rig();
  keep('m');
  await clock.advance(packDelayMs - 1);
  assert.deepEqual(asked, []);
  await clock.advance(1);
  assert.deepEqual(asked, [[[7, 2]]]);
  assert.deepEqual(put, ['r/c', 'r/m: index']);
});

test('of many starts of one disk at once one pack is made, and another when it is renewed', async () => {
  const { clock, keep, asked } = rig();
  for (let start = 0; start < 5; start++) keep('m');
  await clock.advance(10 * packDelayMs);
  assert.equal(asked.length, 1);
  keep('m');
  keep('m', true);
  await clock.advance(10 * packDelayMs);
  assert.equal(asked.length, 2);
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
  for (let disk = 0; disk < packsWaiting + 3; disk++) keep(`m-${disk}`);
  await clock.advance(packDelayMs);
  assert.equal(asked.length, 1);
  await clock.advance(packsWaiting * packDelayMs);
  assert.equal(asked.length, packsWaiting);
  keep('later');
  await packs.close();
  await clock.advance(10 * packDelayMs);
  assert.equal(asked.length, packsWaiting);
});
