import { assert, CHUNK_SIZE_BYTES } from '../../base/mod.ts';
import type { ChunkName } from '../../seal/mod.ts';
import { SlotReferences } from './slot-references.ts';

const FREE = 0;
const FILLING = 1;
const READY = 2;
/** Fewer could not hold what a few large reads wait for at once. */
const SLOTS_MIN = 16;

/**
 * The memory tier: slots of one chunk each in shared memory, evicted by LRU-K. The thread that
 * made it decides what lies where; others only fill slots that it names to them. Memory that no
 * chunk has reached costs nothing.
 */
export class ChunkSlots {
  readonly bytes: Buffer;
  readonly slotCount: number;
  readonly #policy: SlotReferences;
  readonly #slotOf = new Map<ChunkName, number>();
  readonly #names: (ChunkName | undefined)[];
  readonly #states: Uint8Array;
  readonly #pins: Uint32Array;
  readonly #generations: Uint32Array;
  #used = 0;

  constructor(memory: SharedArrayBuffer) {
    this.bytes = Buffer.from(memory);
    this.slotCount = Math.floor(memory.byteLength / CHUNK_SIZE_BYTES);
    assert(this.slotCount >= SLOTS_MIN, `the memory tier has at least ${SLOTS_MIN} slots`);
    this.#policy = new SlotReferences(this.slotCount);
    this.#names = new Array(this.slotCount).fill(undefined);
    this.#states = new Uint8Array(this.slotCount);
    this.#pins = new Uint32Array(this.slotCount);
    this.#generations = new Uint32Array(this.slotCount);
  }

  /** Shared memory for this many bytes of chunks, rounded down to whole slots. */
  static allocate(limitBytes: number): SharedArrayBuffer {
    const slots = Math.max(SLOTS_MIN, Math.floor(limitBytes / CHUNK_SIZE_BYTES));
    return new SharedArrayBuffer(slots * CHUNK_SIZE_BYTES);
  }

  offsetOf(slot: number): number {
    return slot * CHUNK_SIZE_BYTES;
  }

  find(name: ChunkName): number {
    return this.#slotOf.get(name) ?? -1;
  }

  reserve(name: ChunkName): number {
    assert(!this.#slotOf.has(name), `a chunk has one slot: ${name}`);
    const slot = this.#freeSlot();
    if (slot < 0) return -1;
    this.#slotOf.set(name, slot);
    this.#names[slot] = name;
    this.#states[slot] = FILLING;
    this.#generations[slot]!++;
    return slot;
  }

  isReady(slot: number): boolean {
    return this.#states[slot] === READY;
  }

  ready(slot: number, nowMs: number): void {
    assert(this.#states[slot] === FILLING, `slot ${slot} is being filled`);
    this.#states[slot] = READY;
    this.#policy.admit(slot, this.#names[slot]!, nowMs);
  }

  abandon(slot: number): void {
    assert(this.#states[slot] === FILLING, `slot ${slot} is being filled`);
    assert(this.#pins[slot] === 0, `nobody waits for slot ${slot}`);
    this.#free(slot);
  }

  generation(slot: number): number {
    return this.#generations[slot]!;
  }

  pin(slot: number): void {
    this.#pins[slot]!++;
  }

  unpin(slot: number): void {
    assert(this.#pins[slot]! > 0, `slot ${slot} is pinned`);
    this.#pins[slot]!--;
  }

  touch(slot: number, nowMs: number): void {
    this.#policy.touch(slot, nowMs);
  }

  #freeSlot(): number {
    if (this.#used < this.slotCount) {
      const slot = this.#states.indexOf(FREE);
      this.#used++;
      return slot;
    }
    const slot = this.#policy.victim((each) => this.#states[each] === READY && !this.#pins[each]);
    if (slot < 0) return -1;
    this.#policy.evict(slot, this.#names[slot]!);
    this.#free(slot);
    this.#used++;
    return slot;
  }

  #free(slot: number): void {
    this.#slotOf.delete(this.#names[slot]!);
    this.#names[slot] = undefined;
    this.#states[slot] = FREE;
    this.#generations[slot]!++;
    this.#used--;
  }
}
