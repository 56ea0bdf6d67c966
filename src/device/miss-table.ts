import { BoundedQueue, limits, SluiceError } from '../base/mod.ts';
import type { ChunkMemory } from './chunk-memory.ts';
import { TIERS, type Tier } from './device-counters.ts';

/** What a parked request knows of its device. */
export interface ParkedDevice {
  readonly disk: {
    readonly missing: Uint32Array;
    readonly missingCount: number;
    chunkName(index: number): string;
    /** Is it a block of a start pack? */
    isOfPack(name: string): boolean;
    /** Goes on without its start pack, if it has one. */
    forgoPack(): void;
  };
}

/** A request that lacks chunks. */
export interface ParkedRequest<D extends ParkedDevice> {
  readonly device: D;
  /** Tries again; answers the request and true, or lists what still lacks and false. */
  readonly attempt: (farthest: Tier) => boolean;
  readonly fail: (error: unknown) => void;
}

interface Parked<D extends ParkedDevice> extends ParkedRequest<D> {
  /** Slots that it pins: those it waits for, and those that came meanwhile. */
  readonly slots: number[];
  waiting: number;
  farthest: Tier;
}

/** A chunk to be brought into a slot, for the device that missed it first. */
export interface Wanted<D extends ParkedDevice> {
  readonly slot: number;
  readonly device: D;
  readonly name: string;
  /** Nobody waits for it yet. */
  readonly ahead: boolean;
}

export type Fetch<D extends ParkedDevice> = (wanted: Wanted<D>) => void;

/**
 * Requests that wait for chunks. A chunk is asked for once however many wait (of any device), and
 * what a request waited for stays pinned until it is answered. When no slot can be had, a request
 * lets go of its own and stands in line, so that the others can finish.
 */
export class MissTable<D extends ParkedDevice> {
  readonly #memory: ChunkMemory;
  readonly #fetch: Fetch<D>;
  readonly #parked = new Set<Parked<D>>();
  readonly #waiters = new Map<number, Parked<D>[]>();
  /** Slots that wait for what a start pack has. */
  readonly #ofPacks = new Set<number>();
  readonly #stalled = new BoundedQueue<Parked<D>>(limits.device.parkedRequests);

  constructor(memory: ChunkMemory, fetch: Fetch<D>) {
    this.#memory = memory;
    this.#fetch = fetch;
  }

  /** Chunks that were asked for and have not come. */
  get inFlight(): number {
    return this.#waiters.size;
  }

  /** Takes a request whose attempt has just listed what it lacks. */
  park(request: ParkedRequest<D>): void {
    const parked: Parked<D> = { ...request, slots: [], waiting: 0, farthest: 'memory' };
    this.#parked.add(parked);
    this.#await(parked);
  }

  /** Is any request waiting? */
  get demand(): boolean {
    return this.#parked.size > 0;
  }

  /** Asks for a chunk ahead of any request, which may join the wait; answers its slot. */
  prefetch(device: D, name: string): number | 'present' | 'full' {
    if (this.#memory.find(name) >= 0) return 'present';
    const slot = this.#memory.reserve(name);
    if (slot < 0) return 'full';
    this.#ask({ slot, device, name, ahead: true });
    return slot;
  }

  filled(slot: number, tier: Tier, nowMs: number): void {
    this.#memory.ready(slot, nowMs);
    for (const parked of this.#takeWaiters(slot)) {
      if (TIERS.indexOf(tier) > TIERS.indexOf(parked.farthest)) parked.farthest = tier;
      parked.waiting--;
      if (parked.waiting === 0) this.#retry(parked);
    }
    this.#retryStalled();
  }

  unfilled(slot: number, error: unknown): void {
    const isOfPack = this.#ofPacks.has(slot);
    const waiters = this.#takeWaiters(slot);
    for (const parked of waiters) {
      if (isOfPack) this.#letGo(parked);
      else this.#fail(parked, error);
    }
    this.#memory.abandon(slot);
    // The disk's own chunks have the same pages.
    if (isOfPack) {
      for (const { device } of waiters) device.disk.forgoPack();
      for (const parked of waiters) this.#retry(parked);
    }
    this.#retryStalled();
  }

  /** Fails what a device that is being closed still waits for. */
  dropDevice(device: D): void {
    for (const parked of [...this.#parked]) {
      if (parked.device !== device) continue;
      this.#fail(parked, new SluiceError('DEVICE_CLOSED', 'closed while a request waited'));
    }
  }

  #ask(wanted: Wanted<D>): void {
    this.#waiters.set(wanted.slot, []);
    if (wanted.device.disk.isOfPack(wanted.name)) this.#ofPacks.add(wanted.slot);
    this.#fetch(wanted);
  }

  #takeWaiters(slot: number): readonly Parked<D>[] {
    const waiters = this.#waiters.get(slot) ?? [];
    this.#waiters.delete(slot);
    this.#ofPacks.delete(slot);
    return waiters.filter((parked) => this.#parked.has(parked));
  }

  #await(parked: Parked<D>): void {
    const { disk } = parked.device;
    const names = Array.from(disk.missing.subarray(0, disk.missingCount), (chunk) =>
      disk.chunkName(chunk),
    );
    for (const name of new Set(names)) {
      let slot = this.#memory.find(name);
      if (slot < 0) {
        slot = this.#memory.reserve(name);
        if (slot < 0) {
          this.#stall(parked);
          return;
        }
        this.#ask({ slot, device: parked.device, name, ahead: false });
      }
      this.#memory.pin(slot);
      parked.slots.push(slot);
      parked.waiting++;
      this.#waiters.get(slot)?.push(parked);
    }
  }

  #retry(parked: Parked<D>): void {
    try {
      if (parked.attempt(parked.farthest)) this.#release(parked);
      else this.#await(parked);
    } catch (error) {
      this.#fail(parked, error);
    }
  }

  #stall(parked: Parked<D>): void {
    this.#letGo(parked);
    try {
      this.#stalled.push(parked);
    } catch (error) {
      this.#fail(parked, error);
    }
  }

  #retryStalled(): void {
    for (let left = this.#stalled.length; left > 0; left--) {
      const parked = this.#stalled.shift();
      if (parked && this.#parked.has(parked)) this.#retry(parked);
    }
  }

  #fail(parked: Parked<D>, error: unknown): void {
    this.#release(parked);
    parked.fail(error);
  }

  #release(parked: Parked<D>): void {
    this.#letGo(parked);
    this.#parked.delete(parked);
  }

  #letGo(parked: Parked<D>): void {
    for (const slot of parked.slots.splice(0)) this.#memory.unpin(slot);
    for (const waiters of this.#waiters.values()) {
      const index = waiters.indexOf(parked);
      if (index >= 0) waiters.splice(index, 1);
    }
    parked.waiting = 0;
  }
}
