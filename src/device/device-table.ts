import { hash } from 'node:crypto';
import { join } from 'node:path';
import {
  assert,
  type Clock,
  limits,
  PAGE_SIZE_BYTES,
  type Random,
  SluiceError,
} from '../base/mod.ts';
import type { FuseFile } from '../fuse/mod.ts';
import { type Manifest, openManifest, packIdOf, packKey } from '../seal/mod.ts';
import { AccessRecorder } from './access-log.ts';
import type { ChunkMemory } from './chunk-memory.ts';
import { DeviceCounters, type DeviceStats } from './device-counters.ts';
import { DiskDevice } from './disk-device.ts';
import type { DeviceRequest } from './messages.ts';
import { Overlay, OverlayScratch } from './overlay.ts';
import { PlainPages } from './plain-pages.ts';
import { StartPack, type StartPackOptions } from './start-pack.ts';

/** One device as its agent's loop knows it. */
export interface ShownDevice extends FuseFile {
  readonly rootId: string;
  readonly disk: DiskDevice;
  readonly overlay: Overlay | undefined;
  readonly counters: DeviceCounters;
  readonly recorder: AccessRecorder | undefined;
}

export interface DeviceTableOptions {
  readonly memory: ChunkMemory;
  readonly clock: Clock;
  readonly random: Random;
  /** Where overlay files are made. */
  readonly overlayDirectory: string;
  /** What `fuse` leaves free for files: 1 when the mount is one file. */
  readonly firstNodeId: number;
}

/** The devices that are open, by node id and by name. Node ids are not used twice. */
export class DeviceTable {
  readonly #options: DeviceTableOptions;
  readonly #plainPages: PlainPages;
  readonly #byNode = new Map<number, ShownDevice>();
  readonly #byName = new Map<string, ShownDevice>();
  readonly #scratch = new OverlayScratch();
  #nextNodeId: number;

  constructor(options: DeviceTableOptions) {
    this.#options = options;
    this.#plainPages = new PlainPages(options.memory);
    this.#nextNodeId = options.firstNodeId;
  }

  byName(name: string): ShownDevice | undefined {
    return this.#byName.get(name);
  }

  byNode(nodeId: number): ShownDevice | undefined {
    return this.#byNode.get(nodeId);
  }

  all(): ShownDevice[] {
    return [...this.#byNode.values()];
  }

  /** Throws the manifest's errors, and `OVERLOADED`. The request's data key is overwritten. */
  open(request: DeviceRequest): ShownDevice {
    const { deviceId, rootId } = request;
    const { memory, clock } = this.#options;
    assert(!this.#byName.has(deviceId), `a device has one name: ${deviceId}`);
    if (this.#byNode.size >= limits.device.devicesPerAgent) {
      throw new SluiceError('OVERLOADED', `${deviceId}: the agent shows its limit of devices`);
    }
    const { manifest, packManifest } = openAndWipeKey(request);
    const pageCount = Math.ceil(manifest.diskBytes / PAGE_SIZE_BYTES);
    const contentId = request.pack ? hash('sha256', request.pack) : '';
    const pack =
      packManifest &&
      usablePack({ manifest: packManifest, contentId, memory, diskPages: pageCount });
    const overlay = request.writable ? this.#makeOverlay(request, pageCount) : undefined;
    const counters = new DeviceCounters();
    const plainPages = this.#plainPages;
    const disk = new DiskDevice({
      manifest,
      memory,
      plainPages,
      counters,
      pack,
      ...(overlay && { overlay }),
    });
    const device: ShownDevice = {
      nodeId: this.#nextNodeId++,
      name: deviceId,
      sizeBytes: disk.sizeBytes,
      writable: disk.writable,
      rootId,
      disk,
      overlay,
      counters,
      recorder: request.record ? new AccessRecorder(pageCount, clock.monotonicMs()) : undefined,
    };
    this.#byNode.set(device.nodeId, device);
    this.#byName.set(device.name, device);
    return device;
  }

  statsOf({ counters, overlay }: ShownDevice): DeviceStats {
    return counters.stats((overlay?.storedPages ?? 0) * PAGE_SIZE_BYTES);
  }

  /** Overwrites its manifest's keys; its overlay is gone. Chunks in memory stay readable. */
  close(device: ShownDevice): void {
    this.#byNode.delete(device.nodeId);
    this.#byName.delete(device.name);
    device.disk.close();
  }

  #makeOverlay(request: DeviceRequest, pageCount: number): Overlay {
    return new Overlay({
      path: join(this.#options.overlayDirectory, request.deviceId),
      pageCount,
      limitBytes: request.overlayLimitBytes,
      random: this.#options.random,
      scratch: this.#scratch,
    });
  }
}

function openAndWipeKey({ manifestBytes, dataKey, pack }: DeviceRequest): {
  readonly manifest: Manifest;
  readonly packManifest: Manifest | undefined;
} {
  try {
    const key = Buffer.from(dataKey.buffer, dataKey.byteOffset, dataKey.byteLength);
    const manifest = openManifest(Buffer.from(manifestBytes), key);
    return { manifest, packManifest: pack && openPack(Buffer.from(pack), key, manifest) };
  } finally {
    dataKey.fill(0);
  }
}

/** A pack only saves time: one that does not open is left alone. */
function openPack(bytes: Buffer, dataKey: Buffer, { manifestId }: Manifest): Manifest | undefined {
  const key = packKey(dataKey, manifestId);
  try {
    const pack = openManifest(bytes, key);
    if (pack.manifestId === packIdOf(manifestId)) return pack;
    pack.wipe();
    return undefined;
  } catch {
    return undefined;
  } finally {
    key.fill(0);
  }
}

function usablePack(options: StartPackOptions): StartPack | undefined {
  try {
    return new StartPack(options);
  } catch {
    options.manifest.wipe();
    return undefined;
  }
}
