import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Labels, type Meter, noLogger } from '../base/mod.ts';
import { type Device, DeviceCounters } from '../device/mod.ts';
import type { AccessLogBook } from './access-log-book.ts';
import type { ManifestDevices } from './manifest-devices.ts';
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
