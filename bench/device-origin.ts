import { mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { AgentSettings } from '../src/agent/agent-settings.ts';
import { MIB, noLogger, noMeter, systemClock } from '../src/base/mod.ts';
import {
  type AccessLog,
  type AgentPool,
  mountDevice,
  type OpenDeviceRequest,
  unmountDevice,
} from '../src/device/mod.ts';
import { type OriginPlace, openOrigin } from '../src/origin/origin-place.ts';
import type { ChunkSink } from '../src/seal/mod.ts';
import { type SealedDisk, sealDisk } from '../test/support/sealed-disk.ts';
import { type DeviceRig, dropPageCache, execute } from './support/device-rig.ts';
import { lacking } from './support/lacking.ts';
import { numpyImage } from './support/numpy-image.ts';
import { largerDisk, makePeers, type Peer, peersOf } from './support/peers.ts';
import { type SlowStore, startSlowStore } from './support/slow-store.ts';
import { medianOf } from './support/statistics.ts';

const ROUNDS = 3;
const LATENCIES_MS = [1, 5, 20, 36];
const BYTES_PER_SECOND = 125e6;
const PEER_LATENCY_MS = 5;
/** What an agent gets after its start to put into the slab what it fetched. */
const SLAB_FILL_MS = 1500;

/** `lingerMs`: how long the agent stays after the start. */
type StartOptions = Partial<OpenDeviceRequest> & { readonly lingerMs?: number };

interface Start {
  readonly ms: number;
  readonly requests: number;
  readonly megabytes: number;
  readonly log: AccessLog;
}

async function importNumpy(root: string): Promise<void> {
  await execute('chroot', [root, 'python3', '-c', 'import numpy']);
}

async function start(
  agents: AgentPool<AgentSettings>,
  store: SlowStore,
  sealed: SealedDisk,
  latencyMs: number,
  mountPoint: string,
  { lingerMs = 0, ...options }: StartOptions,
): Promise<Start> {
  await agents.warm();
  try {
    await dropPageCache();
    await store.slow({ latencyMs, bytesPerSecond: BYTES_PER_SECOND });
    const startedMs = performance.now();
    const request = { ...sealed, deviceId: 'start', writable: false, ...options };
    const device = await agents.open(request);
    await mountDevice(device.path, mountPoint, { readOnly: true });
    await importNumpy(mountPoint);
    const ms = performance.now() - startedMs;
    const { requests, bytes } = await store.counts();
    const log = { manifestId: sealed.manifestId, runs: await device.accessRuns() };
    await systemClock.sleep(lingerMs);
    return { ms, requests, megabytes: bytes / 1e6, log };
  } finally {
    await unmountDevice(mountPoint).catch(() => {});
    await agents.close();
  }
}

async function startPeer(
  peer: Peer,
  store: SlowStore,
  latencyMs: number,
  root: string,
): Promise<Omit<Start, 'log'>> {
  await dropPageCache();
  await store.slow({ latencyMs, bytesPerSecond: BYTES_PER_SECOND });
  const startedMs = performance.now();
  const away = await peer.show(`${store.endpoint}/bucket/${basename(peer.file)}`, root);
  try {
    await importNumpy(root);
    const ms = performance.now() - startedMs;
    const { requests, bytes } = await store.counts();
    return { ms, requests, megabytes: bytes / 1e6 };
  } finally {
    await away();
  }
}

/** The start pack of a log, made by an agent of its own and kept in the origin; its index. */
async function packOf(
  sealed: SealedDisk,
  { runs }: AccessLog,
  origin: ChunkSink,
  agents: AgentPool<AgentSettings>,
): Promise<Buffer> {
  try {
    const device = await agents.open({ ...sealed, deviceId: 'packed', writable: false });
    const { index, chunks } = await device.pack(runs.map(([page, pages]) => [page, pages]));
    for (const { name, ciphertext } of chunks) {
      await origin.put({ rootId: sealed.rootId, name }, Buffer.from(ciphertext));
    }
    return Buffer.from(index);
  } finally {
    await agents.close();
  }
}

async function comparePeers(
  peers: readonly Peer[],
  store: SlowStore,
  root: string,
  rig: DeviceRig,
) {
  const results: Record<string, unknown> = {};
  const usable: Peer[] = [];
  for (const peer of peers) {
    const [lack] = await lacking(peer.tools);
    if (lack === undefined) usable.push(peer);
    else results[peer.name] = `skipped: this host lacks ${lack}`;
  }
  const [{ file: disk } = { file: '' }] = peers.filter(({ name }) => name.endsWith('ext4'));
  await makePeers(disk, usable, rig.directory);
  for (const peer of usable) {
    await store.show(basename(peer.file), peer.file);
    results[peer.name] = summary([await startPeer(peer, store, PEER_LATENCY_MS, root)]);
  }
  return results;
}

/**
 * The same start behind an object store with a latency and a bandwidth, L1 empty, beside other ways
 * to start from it; then with a slab that an earlier agent filled, and with 1 GiB more in the image.
 */
export async function benchOrigin(rig: DeviceRig, quick: boolean) {
  const { disk } = await numpyImage();
  const kept = dirname(disk);
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
    const seal = (file: string) => sealDisk(file, origin, join(rig.directory, 'origin-keys'));
    const once = (
      sealed: SealedDisk,
      latencyMs: number,
      options: StartOptions,
      settings: Partial<AgentSettings> = {},
    ) => {
      const agents = rig.pool({ origin: place, memoryBytes: 512 * MIB, ...settings });
      return start(agents, store, sealed, latencyMs, mountPoint, options);
    };
    const sealed = await seal(disk);
    const { log: replay } = await once(sealed, 0, { record: true });
    const pack = await packOf(sealed, replay, origin, rig.pool({ origin: place }));
    const results: Record<string, unknown> = {};
    for (const latencyMs of quick ? [PEER_LATENCY_MS] : LATENCIES_MS) {
      const plain: Start[] = [];
      const replayed: Start[] = [];
      const packed: Start[] = [];
      for (let round = 0; round < (quick ? 1 : ROUNDS); round++) {
        plain.push(await once(sealed, latencyMs, {}));
        replayed.push(await once(sealed, latencyMs, { replay }));
        packed.push(await once(sealed, latencyMs, { pack }));
      }
      results[`${latencyMs} ms`] = {
        withoutLog: summary(plain),
        withLog: summary(replayed),
        withPack: summary(packed),
      };
    }
    const slab = { directory: join(rig.directory, 'slab'), limitBytes: 256 * MIB };
    const filling = await once(sealed, PEER_LATENCY_MS, { lingerMs: SLAB_FILL_MS }, { slab });
    const warm = await once(sealed, PEER_LATENCY_MS, {}, { slab });
    results['5 ms, slab'] = { empty: summary([filling]), filled: summary([warm]) };
    results['5 ms, others'] = await comparePeers(peersOf(disk, kept), store, mountPoint, rig);
    if (!quick) {
      const larger = await largerDisk(disk, 1024, kept);
      const sealedLarger = await seal(larger);
      const [tarball] = peersOf(larger, join(kept, 'larger'));
      await mkdir(join(kept, 'larger'), { recursive: true });
      await makePeers(larger, [tarball!], rig.directory);
      await store.show(basename(tarball!.file), tarball!.file);
      results['5 ms, 1 GiB more'] = {
        withoutLog: summary([await once(sealedLarger, PEER_LATENCY_MS, {})]),
        [tarball!.name]: summary([await startPeer(tarball!, store, PEER_LATENCY_MS, mountPoint)]),
      };
    }
    return results;
  } finally {
    store.close();
  }
}

function summary(starts: readonly Omit<Start, 'log'>[]) {
  return {
    ms: medianOf(starts.map((each) => each.ms)),
    requests: medianOf(starts.map((each) => each.requests)),
    megabytes: medianOf(starts.map((each) => each.megabytes)),
  };
}
