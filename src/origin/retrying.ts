import { type Clock, limits, type Random, toSluiceError } from '../base/mod.ts';
import type { ObjectStore } from './object-store.ts';
import { RetryBudget } from './retry-budget.ts';

/**
 * Tries what failed for a passing reason again: at most `limits.origin.attempts` times in all,
 * after a random wait that doubles, and only while the budget that all callers share allows.
 * A put whose answer was lost may be answered `present` for its own bytes.
 */
export function retryingObjects(store: ObjectStore, clock: Clock, random: Random): ObjectStore {
  const { attempts, retryTokens, retryTokensPerSuccess, retryWaitMs } = limits.origin;
  const budget = new RetryBudget(retryTokens, retryTokensPerSuccess);
  const attempt = async <T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
    for (let tried = 1; ; tried++) {
      try {
        const answer = await work();
        budget.earn();
        return answer;
      } catch (error) {
        const mayPass = toSluiceError(error).code === 'ORIGIN_UNAVAILABLE';
        if (!mayPass || signal?.aborted || tried >= attempts || !budget.trySpend()) throw error;
        await clock.sleep(random.float() * retryWaitMs * 2 ** (tried - 1), signal);
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
