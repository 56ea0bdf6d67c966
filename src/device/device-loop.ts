import { join } from 'node:path';
import {
  assert,
  CHUNK_SIZE_BYTES,
  type Clock,
  isSluiceError,
  KIB,
  limits,
  PAGE_SIZE_BYTES,
  type Random,
  SluiceError,
  systemErrorCode,
  toSluiceError,
} from '../base/mod.ts';
import { errno, type FuseFile, type FuseFiles, type FuseReplies } from '../fuse/mod.ts';
import { openManifest } from '../seal/mod.ts';
import { AccessRecorder, chunksOf } from './access-log.ts';
import type { ChunkMemory } from './chunk-memory.ts';
import { DeviceCounters } from './device-counters.ts';
import { DiskDevice } from './disk-device.ts';
import type { DeviceRequest, LoopCommand, LoopReport } from './messages.ts';
import { MissTable } from './miss-table.ts';
import { Overlay } from './overlay.ts';
import { PlainPages } from './plain-pages.ts';
import { Prefetcher } from './prefetcher.ts';

/** From here on a gathering write is cheaper than a copy. */
const UNCOPIED_BYTES = 64 * KIB;

/** One device as the loop knows it. */
interface LoopDevice extends FuseFile {
  readonly rootId: string;
  readonly disk: DiskDevice;
  readonly overlay: Overlay | undefined;
  readonly counters: DeviceCounters;
  readonly recorder: AccessRecorder | undefined;
}

export interface DeviceLoopOptions {
  readonly memory: ChunkMemory;
  readonly clock: Clock;
  readonly random: Random;
  /** Where overlay files are made. */
  readonly overlayDirectory: string;
  /** What `fuse` leaves free for files: 1 when the mount is one file. */
  readonly firstNodeId: number;
  /** The next command for this thread, if one waits. */
  readonly nextCommand: () => LoopCommand | undefined;
  readonly report: (report: LoopReport) => void;
}

/**
 * All devices of an agent, served from the thread that reads FUSE requests. It alone decides what
 * lies in which slot and answers every request; a request that lacks chunks is parked, another
 * thread fills the slots, and the doorbell brings it back. So nothing here needs a lock.
 */
export class DeviceLoop implements FuseFiles {
  readonly #options: DeviceLoopOptions;
  readonly #plainPages: PlainPages;
  readonly #byNode = new Map<number, LoopDevice>();
  readonly #byName = new Map<string, LoopDevice>();
  readonly #misses: MissTable<LoopDevice>;
  /** Who asked for the chunk that is to come into a slot, ahead of any read. */
  readonly #prefetching = new Map<number, Prefetcher>();
  readonly #prefetchers = new Map<LoopDevice, Prefetcher>();
  #nextNodeId: number;

  constructor(options: DeviceLoopOptions) {
    this.#options = options;
    this.#plainPages = new PlainPages(options.memory);
    this.#nextNodeId = options.firstNodeId;
    this.#misses = new MissTable(options.memory, (slot, device, name) => {
      device.counters.fetched(CHUNK_SIZE_BYTES);
      options.report({ type: 'fetch', slot, rootId: device.rootId, name });
    });
  }

  byName(name: string): FuseFile | undefined {
    return this.#byName.get(name);
  }

  byNode(nodeId: number): FuseFile | undefined {
    return this.#byNode.get(nodeId);
  }

  all(): readonly FuseFile[] {
    return [...this.#byNode.values()];
  }

  read(replies: FuseReplies, unique: number, nodeId: number, offset: number, bytes: number): void {
    const device = this.#device(nodeId);
    const { counters, disk } = device;
    const startedMs = this.#options.clock.monotonicMs();
    counters.begin(startedMs);
    device.recorder?.record(offset, bytes, startedMs);
    const place = bytes >= UNCOPIED_BYTES ? disk.locate(offset, bytes) : -1;
    if (place >= 0) {
      replies.replyFrom(unique, this.#options.memory.bytes, place, bytes);
      counters.read(bytes, this.#options.clock.monotonicMs() - startedMs);
    } else if (disk.read(offset, bytes, replies.payload, 0)) {
      replies.replyPayload(unique, bytes);
      counters.read(bytes, this.#options.clock.monotonicMs() - startedMs);
    } else {
      this.#parkRead(replies, device, unique, offset, bytes, startedMs);
    }
    this.#readAhead(device);
  }

  #parkRead(
    replies: FuseReplies,
    device: LoopDevice,
    unique: number,
    offset: number,
    bytes: number,
    startedMs: number,
  ): void {
    const { counters, disk } = device;
    this.#misses.park({
      device,
      attempt: (farthest) => {
        counters.begin(this.#options.clock.monotonicMs(), farthest);
        if (!disk.read(offset, bytes, replies.payload, 0)) return false;
        replies.replyPayload(unique, bytes);
        counters.read(bytes, this.#options.clock.monotonicMs() - startedMs);
        return true;
      },
      fail: (error) => {
        counters.failed();
        replies.replyError(unique, this.errnoOf(error));
      },
    });
  }

  write(
    replies: FuseReplies,
    unique: number,
    nodeId: number,
    offset: number,
    from: Buffer,
    at: number,
    bytes: number,
  ): void {
    const device = this.#device(nodeId);
    const { counters, disk } = device;
    counters.begin(this.#options.clock.monotonicMs());
    if (disk.write(offset, bytes, from, at)) {
      counters.wrote(bytes);
      replies.replyWritten(unique, bytes);
      return;
    }
    // The request's buffer is used again by the next request; this one must wait for a chunk.
    const data = Buffer.from(from.subarray(at, at + bytes));
    this.#misses.park({
      device,
      attempt: () => {
        if (!disk.write(offset, bytes, data, 0)) return false;
        counters.wrote(bytes);
        replies.replyWritten(unique, bytes);
        return true;
      },
      fail: (error) => replies.replyError(unique, this.errnoOf(error)),
    });
  }

  discard(
    replies: FuseReplies,
    unique: number,
    nodeId: number,
    offset: number,
    bytes: number,
  ): void {
    const device = this.#device(nodeId);
    const attempt = () => {
      if (!device.disk.discard(offset, bytes)) return false;
      replies.replyDone(unique);
      return true;
    };
    if (attempt()) return;
    const fail = (error: unknown) => replies.replyError(unique, this.errnoOf(error));
    this.#misses.park({ device, attempt, fail });
  }

  awakened(): void {
    let command = this.#options.nextCommand();
    while (command) {
      this.#obey(command);
      command = this.#options.nextCommand();
    }
  }

  errnoOf(error: unknown): number {
    const full = isSluiceError(error, 'DEVICE_FULL') || isSluiceError(error, 'DISK_FULL');
    if (full || systemErrorCode(error) === 'ENOSPC') return errno.ENOSPC;
    return isSluiceError(error, 'DEVICE_CLOSED') ? errno.ESTALE : errno.EIO;
  }

  /** Closes every device: their keys are overwritten and their overlays gone. */
  closeAll(): void {
    for (const device of this.#byNode.values()) this.#close(device);
    this.#plainPages.wipe();
  }

  #device(nodeId: number): LoopDevice {
    const device = this.#byNode.get(nodeId);
    if (device) return device;
    throw new SluiceError('DEVICE_CLOSED', `node ${nodeId}: the device is closed`);
  }

  #obey(command: LoopCommand): void {
    if (command.type === 'filled') {
      this.#misses.filled(command.slot, command.tier, this.#options.clock.monotonicMs());
      this.#settled(command.slot);
    } else if (command.type === 'unfilled') {
      const { code, message } = command.failure;
      this.#misses.unfilled(command.slot, new SluiceError(code, message));
      this.#settled(command.slot);
    } else {
      this.#answer(command);
    }
  }

  #answer(command: Exclude<LoopCommand, { type: 'filled' | 'unfilled' }>): void {
    const { id } = command;
    try {
      if (command.type === 'open') {
        this.#open(command.device);
        this.#options.report({ type: 'answer', id });
        return;
      }
      const device = this.#byName.get(command.deviceId);
      if (!device) throw new SluiceError('DEVICE_CLOSED', `${command.deviceId}: not open`);
      if (command.type === 'log') {
        this.#options.report({ type: 'answer', id, runs: device.recorder?.runs ?? [] });
        return;
      }
      const overlayBytes = (device.overlay?.storedPages ?? 0) * PAGE_SIZE_BYTES;
      const stats = device.counters.stats(overlayBytes);
      if (command.type === 'close') this.#close(device);
      this.#options.report({ type: 'answer', id, stats });
    } catch (error) {
      const { code, message } = toSluiceError(error);
      this.#options.report({ type: 'refusal', id, failure: { code, message } });
    }
  }

  #open(request: DeviceRequest): void {
    const { deviceId, rootId } = request;
    assert(!this.#byName.has(deviceId), `a device has one name: ${deviceId}`);
    if (this.#byNode.size >= limits.device.devicesPerAgent) {
      throw new SluiceError('OVERLOADED', `${deviceId}: the agent shows its limit of devices`);
    }
    const dataKey = Buffer.from(request.dataKey);
    const manifest = openManifest(Buffer.from(request.manifestBytes), dataKey);
    dataKey.fill(0);
    const overlay = request.writable
      ? new Overlay({
          path: join(this.#options.overlayDirectory, deviceId),
          pageCount: manifest.diskBytes / PAGE_SIZE_BYTES,
          limitBytes: request.overlayLimitBytes,
          random: this.#options.random,
        })
      : undefined;
    const counters = new DeviceCounters();
    const { memory } = this.#options;
    const plainPages = this.#plainPages;
    const disk = new DiskDevice({
      manifest,
      memory,
      plainPages,
      counters,
      ...(overlay && { overlay }),
    });
    const device: LoopDevice = {
      nodeId: this.#nextNodeId++,
      name: deviceId,
      sizeBytes: disk.sizeBytes,
      writable: disk.writable,
      rootId,
      disk,
      overlay,
      counters,
      recorder: request.record ? this.#recorderOf(disk) : undefined,
    };
    this.#byNode.set(device.nodeId, device);
    this.#byName.set(device.name, device);
    if (request.replay) this.#prefetch(device, chunksOf(request.replay, disk.chunkCount));
  }

  #recorderOf(disk: DiskDevice): AccessRecorder {
    const pageCount = disk.sizeBytes / PAGE_SIZE_BYTES;
    return new AccessRecorder(pageCount, this.#options.clock.monotonicMs());
  }

  #prefetch(device: LoopDevice, chunks: Uint32Array): void {
    const { disk } = device;
    const misses = this.#misses;
    const target = {
      get demand() {
        return misses.demand;
      },
      prefetch: (chunk: number) => {
        if (disk.isHole(chunk)) return 'present';
        const slot = misses.prefetch(device, disk.chunkName(chunk));
        if (typeof slot !== 'number') return slot;
        disk.expect(chunk);
        this.#prefetching.set(slot, prefetcher);
        return 'asked';
      },
    } as const;
    // What is fetched ahead must not push out what was fetched ahead just before.
    const chunksMax = Math.floor(this.#options.memory.slotCount / 2);
    const prefetcher = new Prefetcher(target, chunks, chunksMax);
    this.#prefetchers.set(device, prefetcher);
    prefetcher.advance();
  }

  /** Fetches the chunk after one that was just read in order. */
  #readAhead(device: LoopDevice): void {
    const { disk } = device;
    const next = disk.takeStreamed() + 1;
    if (next === 0 || next >= disk.chunkCount || disk.isHole(next)) return;
    const slot = this.#misses.prefetch(device, disk.chunkName(next));
    if (typeof slot === 'number') disk.expect(next);
  }

  #settled(slot: number): void {
    const prefetcher = this.#prefetching.get(slot);
    this.#prefetching.delete(slot);
    prefetcher?.settled();
    for (const [device, each] of this.#prefetchers) {
      if (each.done) this.#prefetchers.delete(device);
      else each.advance();
    }
  }

  #close(device: LoopDevice): void {
    this.#byNode.delete(device.nodeId);
    this.#byName.delete(device.name);
    this.#prefetchers.get(device)?.stop();
    this.#prefetchers.delete(device);
    this.#misses.dropDevice(device);
    device.disk.close();
  }
}
