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
import { type LocalDeviceRequest, toDeviceRequest } from './open-device.ts';

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
/** A reply knows its request here, so that requests need no number. */
const UNIQUE = 0;

/** The loop's reply to one request, as a promise; bytes go straight to where they are wanted. */
class PromisedReply implements FuseReplies {
  readonly payload: Buffer;
  readonly #settled = Promise.withResolvers<void>();

  constructor(payload: Buffer = Buffer.alloc(0)) {
    this.payload = payload;
  }

  /** Makes the request; what it throws is its reply too. */
  to(request: (reply: PromisedReply) => void): Promise<void> {
    try {
      request(this);
    } catch (error) {
      this.#settled.reject(error);
    }
    return this.#settled.promise;
  }

  replyPayload(): void {
    this.#settled.resolve();
  }

  replyFrom(_unique: number, data: Buffer, at: number, bytes: number): void {
    data.copy(this.payload, 0, at, at + bytes);
    this.#settled.resolve();
  }

  replyWritten(): void {
    this.#settled.resolve();
  }

  replyDone(): void {
    this.#settled.resolve();
  }

  replyFailure(_unique: number, error: unknown): void {
    this.#settled.reject(error);
  }
}

/**
 * One device inside this process, on its own thread, for servers that are asynchronous themselves
 * (NBD). The same logic as an agent's: the loop runs when it is called, not in a thread.
 */
export class LocalDevice {
  readonly name: string;
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
  static async open(
    request: LocalDeviceRequest,
    options: LocalDeviceOptions,
  ): Promise<LocalDevice> {
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
    const bytes = Buffer.allocUnsafeSlow(lengthBytes);
    await this.readInto(offset, bytes);
    return bytes;
  }

  /** Fills `into`; the caller keeps it until the promise settles. */
  async readInto(offset: number, into: Buffer): Promise<void> {
    await this.#inParts(into.length, (at, bytes) =>
      new PromisedReply(into.subarray(at, at + bytes)).to((reply) =>
        this.#loop.read(reply, UNIQUE, NODE_ID, offset + at, bytes),
      ),
    );
  }

  async write(offset: number, data: Buffer): Promise<void> {
    await this.#inParts(data.length, (at, bytes) =>
      new PromisedReply().to((reply) =>
        this.#loop.write(reply, UNIQUE, NODE_ID, offset + at, data, at, bytes),
      ),
    );
  }

  async discard(offset: number, lengthBytes: number): Promise<void> {
    if (lengthBytes === 0) return;
    await new PromisedReply().to((reply) =>
      this.#loop.discard(reply, UNIQUE, NODE_ID, offset, lengthBytes),
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

  /** The loop takes requests as large as FUSE's; `at` counts from the range's start. */
  async #inParts(
    lengthBytes: number,
    work: (at: number, bytes: number) => Promise<void>,
  ): Promise<void> {
    const partBytes = limits.device.fuseMaxReadBytes;
    if (lengthBytes > 0 && lengthBytes <= partBytes) return await work(0, lengthBytes);
    const parts: Promise<void>[] = [];
    for (let at = 0; at < lengthBytes; at += partBytes) {
      parts.push(work(at, Math.min(partBytes, lengthBytes - at)));
    }
    // All of them, also after a failure: they write into the caller's buffer.
    const outcomes = await Promise.allSettled(parts);
    const failed = outcomes.find((each) => each.status === 'rejected');
    if (failed) throw failed.reason;
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
    else waiting?.reject(SluiceError.of(report.failure));
  }
}
