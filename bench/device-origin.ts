import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { MIB, noLogger, noMeter } from '../src/base/mod.ts';
import {
  type AccessLog,
  type AgentPool,
  mountDevice,
  type OpenDevice,
  unmountDevice,
} from '../src/device/mod.ts';
import type { AgentSettings } from '../src/serve/agent-settings.ts';
import { type OriginPlace, openOrigin } from '../src/serve/origin-place.ts';
import { type SealedDisk, sealDisk } from '../test/support/sealed-disk.ts';
import { type DeviceRig, dropPageCache, execute } from './support/device-rig.ts';
import { numpyImage } from './support/numpy-image.ts';
import { type SlowStore, startSlowStore } from './support/slow-store.ts';
import { medianOf } from './support/statistics.ts';

const ROUNDS = 3;
const LATENCIES_MS = [1, 5, 20, 36];
const BYTES_PER_SECOND = 125e6;

interface Start {
  readonly ms: number;
  readonly requests: number;
  readonly megabytes: number;
  readonly log: AccessLog;
}

async function start(
  agents: AgentPool<AgentSettings>,
  store: SlowStore,
  sealed: SealedDisk,
  latencyMs: number,
  mountPoint: string,
  options: Partial<OpenDevice>,
): Promise<Start> {
  await agents.warm();
  try {
    await dropPageCache();
    await store.slow({ latencyMs, bytesPerSecond: BYTES_PER_SECOND });
    const startedMs = performance.now();
    const request = { ...sealed, deviceId: 'start', writable: false, ...options };
    const device = await agents.open(request);
    await mountDevice(device.path, mountPoint, { readOnly: true });
    await execute('chroot', [mountPoint, 'python3', '-c', 'import numpy']);
    const ms = performance.now() - startedMs;
    const { requests, bytes } = await store.counts();
    const log = { manifestId: sealed.manifestId, runs: await device.accessRuns() };
    return { ms, requests, megabytes: bytes / 1e6, log };
  } finally {
    await unmountDevice(mountPoint).catch(() => {});
    await agents.close();
  }
}

/** The same start behind an object store with a latency and a bandwidth, L1 empty. */
export async function benchOrigin(rig: DeviceRig) {
  const { disk } = await numpyImage();
  const store = await startSlowStore();
  const mountPoint = join(rig.directory, 'origin-mount');
  await mkdir(mountPoint);
  const place: OriginPlace = {
    kind: 's3',
    bucket: 'bucket',
    region: 'us-east-1',
    endpoint: store.endpoint,
    credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
  };
  try {
    const origin = await openOrigin(place, noMeter, noLogger);
    const sealed = await sealDisk(disk, origin, join(rig.directory, 'origin-keys'));
    const once = (latencyMs: number, options: Partial<OpenDevice>) => {
      const agents = rig.pool({ origin: place, memoryBytes: 512 * MIB });
      return start(agents, store, sealed, latencyMs, mountPoint, options);
    };
    const { log: replay } = await once(0, { record: true });
    const results: Record<string, unknown> = {};
    for (const latencyMs of LATENCIES_MS) {
      const plain: Start[] = [];
      const replayed: Start[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        plain.push(await once(latencyMs, {}));
        replayed.push(await once(latencyMs, { replay }));
      }
      results[`${latencyMs} ms`] = { withoutLog: summary(plain), withLog: summary(replayed) };
    }
    return results;
  } finally {
    store.close();
  }
}

function summary(starts: readonly Start[]) {
  return {
    ms: medianOf(starts.map((each) => each.ms)),
    requests: medianOf(starts.map((each) => each.requests)),
    megabytes: medianOf(starts.map((each) => each.megabytes)),
  };
}
