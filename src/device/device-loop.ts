import {
  CHUNK_SIZE_BYTES,
  isSluiceError,
  KIB,
  PAGE_SIZE_BYTES,
  SluiceError,
  systemErrorCode,
  toSluiceError,
} from '../base/mod.ts';
import { errno, type FuseFile, type FuseFiles, type FuseReplies } from '../fuse/mod.ts';
import type { PageRun } from './access-log.ts';
import { AheadFetcher } from './ahead-fetcher.ts';
import { DeviceTable, type DeviceTableOptions, type ShownDevice } from './device-table.ts';
import type { Extent } from './disk-device.ts';
import type { LoopCommand, LoopReport } from './messages.ts';
import { MissTable, type Wanted } from './miss-table.ts';

/** From here on a gathering write is cheaper than a copy. */
const UNCOPIED_BYTES = 64 * KIB;

export interface DeviceLoopOptions extends DeviceTableOptions {
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
  readonly #devices: DeviceTable;
  readonly #misses: MissTable<ShownDevice>;
  readonly #ahead: AheadFetcher;

  constructor(options: DeviceLoopOptions) {
    this.#options = options;
    this.#devices = new DeviceTable(options);
    this.#misses = new MissTable(options.memory, (wanted) => this.#fetch(wanted));
    this.#ahead = new AheadFetcher(this.#misses, Math.floor(options.memory.slotCount / 2));
  }

  byName(name: string): FuseFile | undefined {
    return this.#devices.byName(name);
  }

  byNode(nodeId: number): FuseFile | undefined {
    return this.#devices.byNode(nodeId);
  }

  all(): readonly FuseFile[] {
    return this.#devices.all();
  }

  read(replies: FuseReplies, unique: number, nodeId: number, offset: number, bytes: number): void {
    const device = this.#device(nodeId);
    const { counters, disk } = device;
    const startedMs = this.#nowMs();
    counters.begin(startedMs);
    device.recorder?.record(offset, bytes, startedMs);
    const place = bytes >= UNCOPIED_BYTES ? disk.locate(offset, bytes) : -1;
    if (place >= 0) {
      replies.replyFrom(unique, this.#options.memory.bytes, place, bytes);
      counters.read(bytes, this.#nowMs() - startedMs);
    } else if (disk.read(offset, bytes, replies.payload, 0)) {
      replies.replyPayload(unique, bytes);
      counters.read(bytes, this.#nowMs() - startedMs);
    } else {
      this.#parkRead(replies, device, unique, offset, bytes, startedMs);
    }
    this.#ahead.follow(device);
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
    counters.begin(this.#nowMs());
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
      fail: (error) => replies.replyFailure(unique, error),
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
    const fail = (error: unknown) => replies.replyFailure(unique, error);
    this.#misses.park({ device, attempt, fail });
  }

  /** What is stored in a range and what is hole, front to back. */
  extents(nodeId: number, offset: number, bytes: number): readonly Extent[] {
    return this.#device(nodeId).disk.extents(offset, bytes);
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
    for (const device of this.#devices.all()) this.#close(device);
  }

  #fetch({ slot, device, name, ahead }: Wanted<ShownDevice>): void {
    const { disk, counters, rootId } = device;
    const frames = disk.pack?.framesOf(name);
    const chunks = frames ? (disk.pack?.chunksFrom(name) ?? 0) : 1;
    for (let chunk = 0; chunk < chunks; chunk++) counters.fetched(CHUNK_SIZE_BYTES);
    this.#options.report({
      ...{ type: 'fetch', slot, rootId, name, ahead },
      ...(frames && { frames }),
    });
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }

  #device(nodeId: number): ShownDevice {
    const device = this.#devices.byNode(nodeId);
    if (device) return device;
    throw new SluiceError('DEVICE_CLOSED', `node ${nodeId}: the device is closed`);
  }

  #parkRead(
    replies: FuseReplies,
    device: ShownDevice,
    unique: number,
    offset: number,
    bytes: number,
    startedMs: number,
  ): void {
    const { counters, disk } = device;
    this.#misses.park({
      device,
      attempt: (farthest) => {
        counters.begin(this.#nowMs(), farthest);
        if (!disk.read(offset, bytes, replies.payload, 0)) return false;
        replies.replyPayload(unique, bytes);
        counters.read(bytes, this.#nowMs() - startedMs);
        return true;
      },
      fail: (error) => {
        counters.failed(error);
        replies.replyFailure(unique, error);
      },
    });
  }

  #obey(command: LoopCommand): void {
    if (command.type === 'filled') {
      this.#misses.filled(command.slot, command.tier, this.#nowMs());
      this.#ahead.settled(command.slot);
    } else if (command.type === 'unfilled') {
      this.#misses.unfilled(command.slot, SluiceError.of(command.failure));
      this.#ahead.settled(command.slot);
    } else {
      this.#answer(command);
    }
  }

  #answer(command: Exclude<LoopCommand, { type: 'filled' | 'unfilled' }>): void {
    const { id } = command;
    try {
      if (command.type === 'open') {
        const { device: request } = command;
        const device = this.#devices.open(request);
        this.#options.report({ type: 'answer', id });
        if (request.replay || request.pack) this.#ahead.replay(device, request.replay);
        return;
      }
      const device = this.#devices.byName(command.deviceId);
      if (!device) throw new SluiceError('DEVICE_CLOSED', `${command.deviceId}: not open`);
      if (command.type === 'pages') {
        this.#readPages(id, device, command.runs);
        return;
      }
      if (command.type === 'log') {
        // Whoever asks has seen the start's end.
        device.disk.forgoPack();
        this.#options.report({ type: 'answer', id, runs: device.recorder?.runs ?? [] });
        return;
      }
      const stats = this.#devices.statsOf(device);
      if (command.type === 'close') this.#close(device);
      this.#options.report({ type: 'answer', id, stats });
    } catch (error) {
      this.#options.report({ type: 'refusal', id, failure: toSluiceError(error).toJSON() });
    }
  }

  #readPages(id: number, device: ShownDevice, runs: readonly PageRun[]): void {
    const bytes = runs.reduce((sum, [, pages]) => sum + pages * PAGE_SIZE_BYTES, 0);
    const pages = Buffer.alloc(bytes);
    let [done, at] = [0, 0];
    const attempt = () => {
      for (; done < runs.length; done++) {
        const [page, count] = runs[done]!;
        const length = count * PAGE_SIZE_BYTES;
        if (!device.disk.readSealed(page * PAGE_SIZE_BYTES, length, pages, at)) return false;
        at += length;
      }
      this.#options.report({ type: 'answer', id, pages });
      return true;
    };
    const fail = (error: unknown) =>
      this.#options.report({ type: 'refusal', id, failure: toSluiceError(error).toJSON() });
    if (!attempt()) this.#misses.park({ device, attempt, fail });
  }

  #close(device: ShownDevice): void {
    this.#ahead.stop(device);
    this.#misses.dropDevice(device);
    this.#devices.close(device);
  }
}
