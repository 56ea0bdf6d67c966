import { limits, type Meter, noMeter, Semaphore } from '../../base/mod.ts';
import type { ChunkRef, ChunkSource } from '../../seal/mod.ts';
import type { ChunkSlab } from './chunk-slab.ts';

/**
 * Reads from the worker's slab first, and keeps in it what `source` answered. Keeping happens
 * behind the answer, few at a time; what comes faster than the disk takes it is not kept. A slab
 * that cannot be read is passed by.
 */
export function slabCached(
  source: ChunkSource,
  slab: Pick<ChunkSlab, 'get' | 'put'>,
  meter: Meter = noMeter,
): ChunkSource {
  const gets = meter.counter('sluice_slab_gets_total', 'Reads from the slab, by outcome.', [
    'outcome',
  ]);
  const puts = meter.counter('sluice_slab_puts_total', 'Chunks offered to the slab, by outcome.', [
    'outcome',
  ]);
  const writes = new Semaphore(limits.cache.slabWritesAtOnce, limits.cache.slabWritesWaiting);
  const keep = (ref: ChunkRef, bytes: Buffer): void => {
    writes
      .run(() => slab.put(ref.name, bytes))
      .then(
        (outcome) => puts.add(1, { outcome }),
        () => puts.add(1, { outcome: 'skipped' }),
      );
  };
  return {
    get: async (ref, signal) => {
      signal?.throwIfAborted();
      const kept = await slab.get(ref.name).catch(() => undefined);
      gets.add(1, { outcome: kept ? 'hit' : 'miss' });
      if (kept) return kept;
      const bytes = await source.get(ref, signal);
      keep(ref, bytes);
      return bytes;
    },
  };
}
