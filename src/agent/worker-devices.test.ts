import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Labels, type Meter, noLogger } from '../base/mod.ts';
import { type Device, DeviceCounters } from '../device/mod.ts';
import type { ManifestHeader } from '../seal/mod.ts';
import type { AccessLogBook } from './access-log-book.ts';
import type { ChunkLore } from './chunk-lore.ts';
import type { ManifestDeviceRequest, ManifestDevices } from './manifest-devices.ts';
import type { PackKeeper } from './pack-keeper.ts';
import { WorkerDevices } from './worker-devices.ts';

/** Sums what is added and counts what is observed, by name and labels. */
function recordingMeter() {
  const totals = new Map<string, number>();
  const add = (name: string) => (value: number, labels: Labels) => {
    const key = [name, ...Object.values(labels)].join(' ');
    totals.set(key, (totals.get(key) ?? 0) + value);
  };
  const meter: Meter = {
    counter: (name) => ({ add: (value = 1, labels = {}) => add(name)(value, labels) }),
    gauge: () => ({ set: () => {} }),
    histogram: (name) => ({ observe: (_value, labels = {}) => add(name)(1, labels) }),
  };
  return { meter, totals };
}

test('what a device did is counted once, however often it is asked for', async () => {
  const counters = new DeviceCounters();
  const stats = async () => counters.stats(0);
  const device = { path: 'path', stats, close: stats } as unknown as Device;
  const { meter, totals } = recordingMeter();
  const devices = new WorkerDevices({
    devices: {
      open: async () => ({ device, rootId: 'r', hasPack: true }),
    } as unknown as ManifestDevices,
    accessLogs: { logOf: async () => undefined } as unknown as AccessLogBook,
    packs: {} as PackKeeper,
    lore: {} as ChunkLore,
    meter,
    logger: noLogger,
  });
  const opened = await devices.open({ deviceId: 'd', accountId: 'a', manifestId: 'm' });
  const read = (tier: 'memory' | 'origin', latencyMs: number) => {
    counters.begin(0);
    counters.used(tier);
    counters.read(4096, latencyMs);
  };
  read('memory', 0.01);
  read('origin', 3);
  for (let fetched = 0; fetched < 3; fetched++) counters.fetched(524_288);
  counters.prefetched();
  counters.prefetched();
  counters.usedPrefetched();
  await opened.stats();
  await opened.stats();
  read('memory', 0.01);
  await opened.close();
  const expected = {
    'sluice_device_reads_total memory': 2,
    'sluice_device_reads_total origin': 1,
    'sluice_device_read_bytes_total memory': 8192,
    'sluice_device_read_seconds memory': 2,
    'sluice_device_read_seconds origin': 1,
    sluice_device_fetched_chunks_total: 3,
    'sluice_device_prefetched_chunks_total used': 1,
    'sluice_device_prefetched_chunks_total wasted': 1,
  };
  for (const [key, value] of Object.entries(expected)) assert.equal(totals.get(key), value, key);
});

test('a first start is helped by what is known of its chunks, and tells what it read of them', async () => {
  const counters = new DeviceCounters();
  const stats = async () => counters.stats(0);
  const runs = [[1, 2, 3]];
  const device = { path: 'path', stats, close: stats, accessRuns: async () => runs };
  const header = { manifestId: 'm', accountId: 'a' };
  const predicted = { manifestId: 'm', runs: [] };
  const [asked, learnt, kept]: [ManifestDeviceRequest[], unknown[], unknown[]] = [[], [], []];
  let hasPack = false;
  let isChanged = true;
  const devices = new WorkerDevices({
    devices: {
      open: async (request: ManifestDeviceRequest) => {
        asked.push(request);
        return { device, rootId: 'r', header, hasPack };
      },
    } as unknown as ManifestDevices,
    accessLogs: {
      logOf: async () => undefined,
      started: async (log: unknown) => ({ merged: log, isChanged, isRenewed: false }),
    } as unknown as AccessLogBook,
    packs: { keep: (job: unknown) => kept.push(job) } as unknown as PackKeeper,
    lore: {
      predict: async () => predicted,
      learn: async (...what: unknown[]) => learnt.push(what),
    } as unknown as ChunkLore,
    meter: recordingMeter().meter,
    logger: noLogger,
  });
  const request = { deviceId: 'd', accountId: 'a', manifestId: 'm' };
  const opened = await devices.open(request);
  assert.equal(await asked[0]?.predict?.(header as ManifestHeader), predicted);
  await opened.started();
  await opened.started();
  const log = { manifestId: 'm', runs };
  assert.deepEqual(learnt, [[header, log]]);
  assert.deepEqual(kept, [{ log, rootId: 'r', accountId: 'a', device, isRenewed: false }]);
  hasPack = true;
  isChanged = false;
  await (await devices.open(request)).started();
  assert.deepEqual([kept.length, learnt.length], [1, 1]);
});
