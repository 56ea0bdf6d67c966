import { Semaphore } from '../base/mod.ts';
import type { ObjectStore } from './object-store.ts';

/**
 * Bounds how many operations are under way at once, and how many may wait: past that they are
 * refused with `OVERLOADED`. Lists are not counted: their reader takes its time.
 */
export function limitedObjects(
  store: ObjectStore,
  atOnce: number,
  waitingMax: number,
): ObjectStore {
  const line = new Semaphore(atOnce, waitingMax);
  return {
    get: (key, signal) => line.run(() => store.get(key, signal), signal),
    putIfAbsent: (key, bytes) => line.run(() => store.putIfAbsent(key, bytes)),
    replace: (key, bytes) => line.run(() => store.replace(key, bytes)),
    list: (prefix, after) => store.list(prefix, after),
    usage: (prefix) => store.usage(prefix),
    remove: (keys) => line.run(() => store.remove(keys)),
    settle: (keys) => line.run(() => store.settle(keys)),
  };
}
