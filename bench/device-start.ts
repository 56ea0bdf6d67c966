import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { CHUNK_SIZE_BYTES } from '../src/base/mod.ts';
import {
  type AccessLog,
  type DeviceStats,
  mountDevice,
  type OpenDeviceRequest,
  unmountDevice,
} from '../src/device/mod.ts';
import { readManifestHeader } from '../src/seal/mod.ts';
import type { SealedDisk } from '../test/support/sealed-disk.ts';
import { type DeviceRig, dropPageCache, execute } from './support/device-rig.ts';
import { numpyImage } from './support/numpy-image.ts';
import { medianOf } from './support/statistics.ts';

const ROUNDS = 5;
const WORK = ['python3', '-c', 'import numpy'];

async function importNumpy(root: string): Promise<void> {
  await execute('chroot', [root, ...WORK]);
}

/** Milliseconds that the work takes with nothing in the kernel's page cache. */
async function timedCold(work: () => Promise<void>): Promise<number> {
  await dropPageCache();
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

interface Start {
  readonly ms: number;
  readonly stats: DeviceStats;
  readonly log: AccessLog;
}

/** One start on a device of an agent that holds nothing yet but was started before. */
async function startOnDevice(
  rig: DeviceRig,
  sealed: SealedDisk,
  options: Partial<OpenDeviceRequest>,
): Promise<Start> {
  const mountPoint = join(rig.directory, 'mount');
  const agents = rig.pool();
  await agents.warm();
  try {
    let device: Awaited<ReturnType<typeof agents.open>> | undefined;
    const ms = await timedCold(async () => {
      const request = { ...sealed, deviceId: 'start', writable: false, ...options };
      device = await agents.open(request);
      await mountDevice(device.path, mountPoint, { readOnly: true });
      await importNumpy(mountPoint);
    });
    if (!device) throw new Error('no device');
    const log = { manifestId: sealed.manifestId, runs: await device.accessRuns() };
    await unmountDevice(mountPoint);
    return { ms, log, stats: await device.stats() };
  } finally {
    await execute('umount', [mountPoint]).catch(() => {});
    await agents.close();
  }
}

async function startOnFile(disk: string, mountPoint: string): Promise<number> {
  try {
    return await timedCold(async () => {
      await mountDevice(disk, mountPoint, { readOnly: true });
      await importNumpy(mountPoint);
    });
  } finally {
    await unmountDevice(mountPoint);
  }
}

async function startUnpacked(layout: string, directory: string): Promise<number> {
  const bundle = join(directory, 'bundle');
  try {
    return await timedCold(async () => {
      await execute('umoci', ['unpack', '--image', `${layout}:latest`, bundle]);
      await importNumpy(join(bundle, 'rootfs'));
    });
  } finally {
    await rm(bundle, { recursive: true, force: true });
  }
}

/**
 * `import numpy` from a Debian image, page cache dropped, L1 empty, directory origin: on a device
 * without and with an access log, beside a loop mount of the flattened disk and an unpacked image.
 */
export async function benchStart(rig: DeviceRig, quick: boolean) {
  const { layout, disk } = await numpyImage();
  const sealed = await rig.seal(disk);
  const mountPoint = join(rig.directory, 'mount');
  await mkdir(mountPoint);
  const recorded = await startOnDevice(rig, sealed, { record: true });
  const times: Record<'file' | 'device' | 'replay', number[]> = {
    file: [],
    device: [],
    replay: [],
  };
  let stats = recorded.stats;
  let replayStats = recorded.stats;
  for (let round = 0; round < (quick ? 2 : ROUNDS); round++) {
    times.file.push(await startOnFile(disk, mountPoint));
    const plain = await startOnDevice(rig, sealed, {});
    const replay = await startOnDevice(rig, sealed, { replay: recorded.log });
    times.device.push(plain.ms);
    times.replay.push(replay.ms);
    stats = plain.stats;
    replayStats = replay.stats;
  }
  const unpackedMs = await startUnpacked(layout, rig.directory);
  const fileMs = medianOf(times.file);
  const storedBytes = readManifestHeader(sealed.manifestBytes).storedChunkCount * CHUNK_SIZE_BYTES;
  const used = (some: DeviceStats) => ({
    chunks: some.chunksFetched,
    megabytesFetched: some.bytesFetched / 1e6,
    shareOfDisk: some.bytesFetched / storedBytes,
    requests: some.reads,
    prefetched: some.chunksPrefetched,
    prefetchedUsed: some.prefetchedUsed,
  });
  return {
    loopMountOfFileMs: fileMs,
    deviceMs: medianOf(times.device),
    deviceToFile: medianOf(times.device) / fileMs,
    replayMs: medianOf(times.replay),
    replayToFile: medianOf(times.replay) / fileMs,
    unpackMs: unpackedMs,
    device: used(stats),
    replay: used(replayStats),
    chunkBytes: CHUNK_SIZE_BYTES,
    all: times,
  };
}
