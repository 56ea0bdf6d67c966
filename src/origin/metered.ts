import { type Clock, isSluiceError, type Meter } from '../base/mod.ts';
import type { ObjectStore } from './object-store.ts';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** Measures each operation that crosses to where objects rest: how long, how it ended, bytes. */
export function meteredObjects(store: ObjectStore, clock: Clock, meter: Meter): ObjectStore {
  const seconds = meter.histogram(
    'sluice_origin_operation_seconds',
    'Time of an operation on the store of objects, by operation and outcome.',
    SECONDS,
    ['operation', 'outcome'],
  );
  const bytes = meter.counter(
    'sluice_origin_bytes_total',
    'Bytes of objects moved, by direction: in, out.',
    ['direction'],
  );
  const measure = async <T>(operation: string, work: () => Promise<T>): Promise<T> => {
    const startedAtMs = clock.monotonicMs();
    let outcome = 'ok';
    try {
      return await work();
    } catch (error) {
      outcome = isSluiceError(error) ? error.code : 'INTERNAL';
      throw error;
    } finally {
      const labels = { operation, outcome };
      seconds.observe((clock.monotonicMs() - startedAtMs) / 1000, labels);
    }
  };
  const got = (found: number | undefined, startedAtMs: number) => {
    if (found === undefined) return undefined;
    const labels = { operation: 'get', outcome: 'ok' };
    seconds.observe((clock.monotonicMs() - startedAtMs) / 1000, labels);
    bytes.add(found, { direction: 'out' });
    return found;
  };
  const { readInto, readIntoSync } = store;
  return {
    ...(readIntoSync && {
      readIntoSync: (key, into) => {
        const startedAtMs = clock.monotonicMs();
        return got(readIntoSync.call(store, key, into), startedAtMs);
      },
    }),
    ...(readInto && {
      readInto: async (key, into) => {
        const startedAtMs = clock.monotonicMs();
        return got(await readInto.call(store, key, into), startedAtMs);
      },
    }),
    get: async (key, signal) => {
      const found = await measure('get', () => store.get(key, signal));
      bytes.add(found?.length ?? 0, { direction: 'out' });
      return found;
    },
    putIfAbsent: async (key, body) => {
      const outcome = await measure('put', () => store.putIfAbsent(key, body));
      if (outcome === 'stored') bytes.add(body.length, { direction: 'in' });
      return outcome;
    },
    replace: async (key, body) => {
      await measure('replace', () => store.replace(key, body));
      bytes.add(body.length, { direction: 'in' });
    },
    list: (prefix, after) => store.list(prefix, after),
    usage: (prefix) => measure('usage', () => store.usage(prefix)),
    remove: (keys) => measure('remove', () => store.remove(keys)),
    settle: (keys) => measure('settle', () => store.settle(keys)),
  };
}
