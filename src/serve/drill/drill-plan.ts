import { createHash } from 'node:crypto';
import { KIB } from '../../base/mod.ts';
import { type ChunkName, nameOf } from '../../seal/mod.ts';

/**
 * The drill's chunks are small, so that two cores can move as many as a fleet would: what matters
 * for a queue is how many requests there are, not how long each is.
 */
export const DRILL_CHUNK_BYTES = 32 * KIB;
const CHUNKS_PER_START = 24;
/** Of these, as many come from one of ten base images. */
const SHARED_CHUNKS = 8;
const BASE_IMAGES = 10;
const ZIPF = 0.9;

/** The chunks that a start of a function reads, by number. */
export function chunksOfStart(functionIndex: number): number[] {
  const base = (functionIndex % BASE_IMAGES) * SHARED_CHUNKS;
  const own = BASE_IMAGES * SHARED_CHUNKS + functionIndex * CHUNKS_PER_START;
  return Array.from({ length: CHUNKS_PER_START }, (_, i) => (i < SHARED_CHUNKS ? base : own) + i);
}

export function drillChunk(number: number): Buffer {
  const seed = createHash('sha256').update(`drill ${number}`).digest();
  return Buffer.alloc(DRILL_CHUNK_BYTES, seed);
}

/** The names of the chunks that starts of so many functions read, by number. */
export function drillNames(functions: number): ReadonlyMap<number, ChunkName> {
  const numbers = Array.from({ length: functions }, (_, i) => chunksOfStart(i)).flat();
  return new Map([...new Set(numbers)].map((number) => [number, nameOf(drillChunk(number))]));
}

/** Which function an invoke is for, from a uniform number: few are called often, many seldom. */
export function zipf(functions: number): (uniform: number) => number {
  const weights = Array.from({ length: functions }, (_, i) => 1 / (i + 1) ** ZIPF);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  const upTo = weights.map((weight) => (sum += weight / total));
  return (uniform) =>
    Math.max(
      0,
      upTo.findIndex((share) => share >= uniform),
    );
}
