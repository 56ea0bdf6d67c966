import { assert, type Clock, limits, type Random, SluiceError } from '../base/mod.ts';
import type { FuseReplies } from '../fuse/mod.ts';
import type { ChunkName, ChunkSource } from '../seal/mod.ts';
import type { AccessRun } from './access-log.ts';
import { ChunkFiller, type NearTiers } from './chunk-filler.ts';
import type { ChunkMemory } from './chunk-memory.ts';
import type { DeviceStats, Tier } from './device-counters.ts';
import { DeviceLoop } from './device-loop.ts';
import type { Extent } from './disk-device.ts';
import type { LoopCommand, LoopReport } from './messages.ts';
import { type OpenDevice, toDeviceRequest } from './open-device.ts';

export interface LocalDeviceOptions {
  readonly memory: ChunkMemory;
  /** The tiers below memory. */
  readonly source: ChunkSource;
  readonly near?: NearTiers;
  readonly tierOf: (name: ChunkName) => Tier;
  readonly overlayDirectory: string;
  readonly clock: Clock;
  readonly random: Random;
}

type Answer = Extract<LoopReport, { type: 'answer' }>;

interface Waiting<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

const NODE_ID = 1;

/** Turns the loop's replies, each named by a number, into promises. */
class PromisedReplies implements FuseReplies {
  readonly payload = Buffer.alloc(limits.device.fuseMaxReadBytes);
  readonly #waiting = new Map<number, Waiting<Buffer>>();
  #next = 1;

  call(request: (unique: number) => void): Promise<Buffer> {
    const unique = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(unique, { resolve, reject });
      try {
        request(unique);
      } catch (error) {
        this.replyFailure(unique, error);
      }
    });
  }

  replyPayload(unique: number, bytes: number): void {
    this.replyFrom(unique, this.payload, 0, bytes);
  }

  replyFrom(unique: number, data: Buffer, at: number, bytes: number): void {
    this.#take(unique).resolve(Buffer.from(data.subarray(at, at + bytes)));
  }

  replyWritten(unique: number): void {
    this.replyDone(unique);
  }

  replyDone(unique: number): void {
    this.#take(unique).resolve(Buffer.alloc(0));
  }

  replyFailure(unique: number, error: unknown): void {
    this.#take(unique).reject(error);
  }

  #take(unique: number): Waiting<Buffer> {
    const waiting = this.#waiting.get(unique);
    assert(waiting, 'a request is answered once');
    this.#waiting.delete(unique);
    return waiting;
  }
}

/**
 * One device inside this process, on its own thread, for servers that are asynchronous themselves
 * (NBD). The same logic as an agent's: the loop runs when it is called, not in a thread.
 */
export class LocalDevice {
  readonly name: string;
  readonly #replies = new PromisedReplies();
  readonly #loop: DeviceLoop;
  readonly #commands: LoopCommand[] = [];
  readonly #answers = new Map<number, Waiting<Answer>>();
  readonly #filler: ChunkFiller;
  #nextId = 1;

  private constructor(name: string, options: LocalDeviceOptions) {
    this.name = name;
    const { memory, clock, random, overlayDirectory, source, near, tierOf } = options;
    this.#filler = new ChunkFiller({
      memoryBytes: memory.bytes,
      source,
      ...(near && { near }),
      tierOf,
      clock,
      command: (command) => this.#command(command),
    });
    this.#loop = new DeviceLoop({
      memory,
      clock,
      random,
      overlayDirectory,
      firstNodeId: NODE_ID,
      nextCommand: () => this.#commands.shift(),
      report: (report) => this.#report(report),
    });
  }

  /** Rejects with the manifest's errors. */
  static async open(request: OpenDevice, options: LocalDeviceOptions): Promise<LocalDevice> {
    const message = toDeviceRequest(request);
    const device = new LocalDevice(request.deviceId, options);
    await device.#ask((id) => ({ type: 'open', id, device: message }));
    return device;
  }

  get sizeBytes(): number {
    return this.#loop.byNode(NODE_ID)?.sizeBytes ?? 0;
  }

  get writable(): boolean {
    return this.#loop.byNode(NODE_ID)?.writable ?? false;
  }

  async read(offset: number, lengthBytes: number): Promise<Buffer> {
    const parts = await this.#inParts(offset, lengthBytes, (at, bytes) =>
      this.#replies.call((unique) => this.#loop.read(this.#replies, unique, NODE_ID, at, bytes)),
    );
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  async write(offset: number, data: Buffer): Promise<void> {
    await this.#inParts(offset, data.length, (at, bytes) =>
      this.#replies.call((unique) =>
        this.#loop.write(this.#replies, unique, NODE_ID, at, data, at - offset, bytes),
      ),
    );
  }

  async discard(offset: number, lengthBytes: number): Promise<void> {
    if (lengthBytes === 0) return;
    await this.#replies.call((unique) =>
      this.#loop.discard(this.#replies, unique, NODE_ID, offset, lengthBytes),
    );
  }

  extents(offset: number, lengthBytes: number): readonly Extent[] {
    return this.#loop.extents(NODE_ID, offset, lengthBytes);
  }

  async stats(): Promise<DeviceStats> {
    const { stats } = await this.#ask((id) => ({ type: 'stats', id, deviceId: this.name }));
    assert(stats, 'an open device has stats');
    return stats;
  }

  async accessRuns(): Promise<readonly AccessRun[]> {
    return (await this.#ask((id) => ({ type: 'log', id, deviceId: this.name }))).runs ?? [];
  }

  /** Resolves with the last stats; what still waits for a chunk fails with `DEVICE_CLOSED`. */
  async close(): Promise<DeviceStats | undefined> {
    return (await this.#ask((id) => ({ type: 'close', id, deviceId: this.name }))).stats;
  }

  async #inParts<T>(
    offset: number,
    lengthBytes: number,
    work: (at: number, bytes: number) => Promise<T>,
  ): Promise<T[]> {
    const partBytes = limits.device.fuseMaxReadBytes;
    const parts: Promise<T>[] = [];
    for (let done = 0; done < lengthBytes; done += partBytes) {
      parts.push(work(offset + done, Math.min(partBytes, lengthBytes - done)));
    }
    return await Promise.all(parts);
  }

  #ask(command: (id: number) => LoopCommand): Promise<Answer> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#answers.set(id, { resolve, reject });
      this.#command(command(id));
    });
  }

  #command(command: LoopCommand): void {
    this.#commands.push(command);
    this.#loop.awakened();
  }

  #report(report: LoopReport): void {
    if (report.type === 'fetch') {
      this.#filler.fill(report);
      return;
    }
    const waiting = this.#answers.get(report.id);
    this.#answers.delete(report.id);
    if (report.type === 'answer') waiting?.resolve(report);
    else waiting?.reject(new SluiceError(report.failure.code, report.failure.message));
  }
}
