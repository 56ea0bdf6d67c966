import type { ChunkName } from '../seal/mod.ts';

/**
 * The memory tier as a device needs it: slots of one chunk each in shared memory, where one thread
 * decides what lies where, and another one fills a slot that it was told to fill. A slot is
 * `filling` from `reserve` until `ready` or `abandon`. Implemented by `cache`.
 */
export interface ChunkMemory {
  /** All slots, one after the other; shared between threads. */
  readonly bytes: Buffer;
  readonly slotCount: number;
  offsetOf(slot: number): number;
  /** The slot that holds or awaits this chunk, or -1. */
  find(name: ChunkName): number;
  /** A free slot, or the one whose chunk is worth least; -1 while all are filling or pinned. */
  reserve(name: ChunkName): number;
  isReady(slot: number): boolean;
  /** The slot's chunk is complete and verified. */
  ready(slot: number, nowMs: number): void;
  /** The slot's chunk could not be had. */
  abandon(slot: number): void;
  /** Changes whenever the slot is given to another chunk. */
  generation(slot: number): number;
  /** A pinned slot keeps its chunk. Pins count. */
  pin(slot: number): void;
  unpin(slot: number): void;
  /** Someone read from the slot: what the eviction policy goes by. */
  touch(slot: number, nowMs: number): void;
}
