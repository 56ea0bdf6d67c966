import { readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { agentSettings, OpenManifests, openTiers, spawnHostAgent } from '../agent/mod.ts';
import { noLogger, noMeter, SluiceError, systemClock, systemRandom } from '../base/mod.ts';
import { ChunkSlots, type L2Settings } from '../cache/mod.ts';
import {
  type AccessRun,
  type DeviceStats,
  encodeAccessLog,
  LocalDevice,
  type OpenDeviceRequest,
  openDeviceOnFile,
  parseAccessLog,
  TierWatch,
} from '../device/mod.ts';
import { NbdServer } from '../nbd/mod.ts';
import { originEnvironment } from '../origin/mod.ts';
import { KeyReceiver, readManifestHeader, wrappedDataKey } from '../seal/mod.ts';
import { openStores, type Stores } from './stores.ts';

export interface ServeDeviceOptions {
  readonly dataPath: string;
  readonly manifestId: string;
  /** One of the two: an existing plain file to mount over, or a unix socket to make. */
  readonly fuseFile?: string | undefined;
  readonly nbdSocket?: string | undefined;
  readonly writable: boolean;
  /** A file for the access log, written when the device closes. */
  readonly recordFile?: string | undefined;
  /** An access log to fetch ahead by. */
  readonly replayFile?: string | undefined;
  readonly l2?: L2Settings | undefined;
}

export interface ServedDevice {
  /** Aborted when what serves it died, with the reason; nothing is mounted then. */
  readonly died: AbortSignal;
  /** Takes the device away, and answers what it did. */
  close(): Promise<DeviceStats | undefined>;
}

interface OpenedDevice {
  readonly died: AbortSignal;
  stats(): Promise<DeviceStats>;
  accessRuns(): Promise<readonly AccessRun[]>;
  close(): Promise<void>;
}

/** Serves one stored image's disk alone, on a file by FUSE or on a socket by NBD. */
export async function serveDevice(options: ServeDeviceOptions): Promise<ServedDevice> {
  const { manifestId, recordFile, fuseFile, nbdSocket } = options;
  const stores = await openStores(options.dataPath);
  const request = await deviceRequest(stores, options);
  const device =
    fuseFile === undefined
      ? await openNbd(stores, request, nbdSocket ?? '', options.l2)
      : await openFuse(stores, request, fuseFile, options.l2);
  return {
    died: device.died,
    close: async () => {
      const stats = await device.stats().catch(() => undefined);
      if (recordFile !== undefined && !device.died.aborted) {
        const runs = await device.accessRuns();
        await writeFile(recordFile, encodeAccessLog({ manifestId, runs }));
      }
      await device.close();
      return stats;
    },
  };
}

async function deviceRequest(
  stores: Stores,
  options: ServeDeviceOptions,
): Promise<OpenDeviceRequest> {
  const { manifestId, replayFile } = options;
  const { bytes, rootId } = await stores.origin.findManifest(manifestId);
  const { key, context } = wrappedDataKey(bytes);
  const replay = replayFile === undefined ? undefined : readAccessLog(replayFile, manifestId);
  return {
    deviceId: `serve-${manifestId}`,
    accountId: context.accountId,
    manifestBytes: bytes,
    sealKey: (recipient) => stores.keys.unwrapDataKey(key, context, recipient),
    rootId,
    writable: options.writable,
    record: options.recordFile !== undefined,
    ...(replay && { replay }),
  };
}

function readAccessLog(file: string, manifestId: string) {
  const log = parseAccessLog(readFileSync(file, 'utf8'));
  if (log.manifestId === manifestId) return log;
  throw new SluiceError('USAGE', `${file}: is the access log of ${log.manifestId}`);
}

async function openFuse(
  stores: Stores,
  request: OpenDeviceRequest,
  file: string,
  l2: L2Settings | undefined,
): Promise<OpenedDevice> {
  const device = await openDeviceOnFile(request, {
    spawn: () => spawnHostAgent(originEnvironment(stores.place)),
    directory: join(stores.data.run, `serve-${process.pid}`),
    settings: await agentSettings(stores, l2),
    file,
    clock: systemClock,
  });
  return {
    died: device.died,
    stats: () => device.stats(),
    accessRuns: () => device.accessRuns(),
    close: async () => {
      await device.close();
    },
  };
}

async function openNbd(
  stores: Stores,
  request: OpenDeviceRequest,
  path: string,
  l2: L2Settings | undefined,
): Promise<OpenedDevice> {
  const settings = await agentSettings(stores, l2);
  const overlayDirectory = join(stores.data.run, `serve-${process.pid}`);
  await mkdir(overlayDirectory, { recursive: true, mode: 0o700 });
  const tiers = new TierWatch();
  const tools = { meter: noMeter, logger: noLogger };
  const { near, source, use } = await openTiers(settings, tiers, tools);
  const opened = new OpenManifests({ use, clock: systemClock, logger: noLogger });
  const header = readManifestHeader(request.manifestBytes);
  opened.add(request.deviceId, { rootId: request.rootId, manifestId: header.manifestId });
  const receiver = new KeyReceiver(systemRandom);
  const dataKey = receiver.open(await request.sealKey(receiver.publicKey), header);
  const device = await LocalDevice.open(
    { ...request, dataKey },
    {
      memory: new ChunkSlots(ChunkSlots.allocate(settings.memoryBytes)),
      near,
      source,
      tierOf: (name) => tiers.take(name),
      overlayDirectory,
      clock: systemClock,
      random: systemRandom,
    },
  );
  const server = new NbdServer([device], noLogger);
  await server.listen({ path });
  return {
    // It lives in this process.
    died: new AbortController().signal,
    stats: () => device.stats(),
    accessRuns: () => device.accessRuns(),
    close: async () => {
      await server.close();
      opened.close();
      await device.close();
      await rm(overlayDirectory, { recursive: true, force: true });
    },
  };
}
