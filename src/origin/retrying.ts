import { type Clock, limits, type Random, toSluiceError } from '../base/mod.ts';
import type { ObjectStore } from './object-store.ts';
import { RetryBudget } from './retry-budget.ts';

/**
 * Tries what failed for a passing reason again, after random waits that double, for as long as
 * `patienceMs` and the caller's signal allow. Retries of all callers together are paced by one budget.
 * A put whose answer was lost may be answered `present` for its own bytes.
 */
export function retryingObjects(
  store: ObjectStore,
  clock: Clock,
  random: Random,
  patienceMs: number = limits.origin.patienceMs,
): ObjectStore {
  const { retryTokens, retryWaitMs, retryWaitMsMost } = limits.origin;
  const budget = new RetryBudget(retryTokens, clock.monotonicMs());
  const pause = async (tried: number, untilMs: number, signal?: AbortSignal): Promise<boolean> => {
    let waitMs = random.float() * Math.min(retryWaitMsMost, retryWaitMs * 2 ** (tried - 1));
    do {
      if (signal?.aborted || clock.monotonicMs() + waitMs > untilMs) return false;
      await clock.sleep(waitMs, signal);
      waitMs = (0.5 + random.float()) * limits.origin.retryPaceMs;
    } while (!budget.trySpend(clock.monotonicMs()));
    return true;
  };
  const attempt = async <T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
    const untilMs = clock.monotonicMs() + patienceMs;
    for (let tried = 1; ; tried++) {
      try {
        const answer = await work();
        budget.earn(tried > 1);
        return answer;
      } catch (error) {
        const mayPass = toSluiceError(error).code === 'ORIGIN_UNAVAILABLE';
        if (!mayPass || !(await pause(tried, untilMs, signal))) throw error;
      }
    }
  };
  // A list that breaks off goes on after the last key that it gave.
  async function* listAgain(prefix: string, after?: string): AsyncIterable<string> {
    let last = after;
    let keys = store.list(prefix, last)[Symbol.asyncIterator]();
    for (let next = await first(); !next.done; next = await first()) {
      last = next.value;
      yield next.value;
    }
    function first(): Promise<IteratorResult<string>> {
      return attempt(async () => {
        try {
          return await keys.next();
        } catch (error) {
          keys = store.list(prefix, last)[Symbol.asyncIterator]();
          throw error;
        }
      });
    }
  }
  return {
    get: (key, signal) => attempt(() => store.get(key, signal), signal),
    putIfAbsent: (key, bytes) => attempt(() => store.putIfAbsent(key, bytes)),
    replace: (key, bytes) => attempt(() => store.replace(key, bytes)),
    list: (prefix, after) => listAgain(prefix, after),
    usage: (prefix) => attempt(() => store.usage(prefix)),
    remove: (keys) => attempt(() => store.remove(keys)),
    settle: (keys) => attempt(() => store.settle(keys)),
  };
}
