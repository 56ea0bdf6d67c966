import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { KIB, MIB } from '../src/base/mod.ts';
import type { Device } from '../src/device/mod.ts';
import { type DeviceRig, openSealed } from './support/device-rig.ts';
import { quantileOf } from './support/statistics.ts';

const DEVICES = 64;
const READS_EACH = 200;
const DISK_BYTES = 64 * MIB;

function residentBytes(device: Device): number {
  const pid = /^\/proc\/(\d+)\//.exec(device.path)?.[1];
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * KIB;
}

/** Random 64 KiB reads of some devices at once, past nothing but the memory tier after the first. */
async function readAll(devices: readonly Device[], readsEach: number) {
  const latencies: number[] = [];
  const startedMs = performance.now();
  await Promise.all(
    devices.map(async (device) => {
      const file = await open(device.path, 'r');
      const buffer = Buffer.alloc(64 * KIB);
      for (let read = 0; read < readsEach; read++) {
        const at = Math.floor(Math.random() * (DISK_BYTES / buffer.length)) * buffer.length;
        const beforeMs = performance.now();
        await file.read(buffer, 0, buffer.length, at);
        latencies.push(performance.now() - beforeMs);
      }
      await file.close();
    }),
  );
  const seconds = (performance.now() - startedMs) / 1000;
  return {
    megabytesPerSecond: (devices.length * readsEach * 64 * KIB) / 1e6 / seconds,
    p50Ms: quantileOf(latencies, 0.5),
    p99Ms: quantileOf(latencies, 0.99),
  };
}

/** One agent, 64 devices read at once, beside one device read as much; and what each costs. */
export async function benchMany(rig: DeviceRig) {
  const agents = rig.pool();
  const sealed = await rig.seal(randomBytes(DISK_BYTES));
  const first = await openSealed(agents, sealed, true);
  await readAll([first], READS_EACH);
  const one = await readAll([first], READS_EACH * 8);
  const beforeBytes = residentBytes(first);
  const openedMs: number[] = [];
  const devices: Device[] = [];
  for (let index = 0; index < DEVICES; index++) {
    const startedMs = performance.now();
    devices.push(await openSealed(agents, sealed, true));
    openedMs.push(performance.now() - startedMs);
  }
  const perDeviceBytes = (residentBytes(first) - beforeBytes) / DEVICES;
  const many = await readAll(devices, READS_EACH);
  await agents.close();
  return {
    one,
    many,
    openP50Ms: quantileOf(openedMs, 0.5),
    openP99Ms: quantileOf(openedMs, 0.99),
    kibibytesPerDevice: perDeviceBytes / KIB,
  };
}
