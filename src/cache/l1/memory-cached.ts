import { CHUNK_SIZE_BYTES, type Clock, SingleFlight } from '../../base/mod.ts';
import type { ChunkName, ChunkRef, ChunkSource } from '../../seal/mod.ts';
import { LruK } from '../l2/lru-k.ts';
import { CORRELATED_MS } from './slot-references.ts';

export interface MemoryCacheOptions {
  readonly limitBytes: number;
  readonly clock: Clock;
}

/**
 * Keeps the most valuable chunks of `source` in this process's memory, by LRU-K. Concurrent gets
 * of a chunk are one get of the source, which no single caller's signal ends.
 */
export function memoryCached(source: ChunkSource, options: MemoryCacheOptions): ChunkSource {
  const { limitBytes, clock } = options;
  const historyKeys = Math.ceil(limitBytes / CHUNK_SIZE_BYTES);
  const kept = new LruK<ChunkName, Buffer>({
    limitBytes,
    historyKeys,
    correlatedMs: CORRELATED_MS,
  });
  const flights = new SingleFlight<ChunkName, Buffer>();
  const fetch = async (ref: ChunkRef) => {
    const bytes = await source.get(ref);
    kept.set(ref.name, bytes, bytes.length, clock.monotonicMs());
    return bytes;
  };
  return {
    get: async (ref, signal) => {
      signal?.throwIfAborted();
      const bytes = kept.get(ref.name, clock.monotonicMs());
      if (bytes) return bytes;
      const flight = flights.run(ref.name, () => fetch(ref));
      return await (signal ? orAborted(flight, signal) : flight);
    },
  };
}

function orAborted<T>(flight: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    flight.finally(() => signal.removeEventListener('abort', onAbort)).then(resolve, reject);
  });
}
