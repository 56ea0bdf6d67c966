import { assert } from '../base/mod.ts';
import type { PutOutcome } from '../seal/mod.ts';

/** What a prefix holds. */
export interface ObjectUsage {
  readonly objects: number;
  readonly bytes: number;
}

/**
 * All that an origin asks of the place where its bytes are stored: a directory, S3, memory.
 * Keys are paths of `[A-Za-z0-9._-]` segments joined by `/`; a prefix ends in `/`. Every answer
 * is strongly consistent: what a put has answered, the next get and list of anyone see.
 * Rejects with `ORIGIN_UNAVAILABLE` (may be tried again), `ACCESS_DENIED` or `DISK_FULL`.
 */
export interface ObjectStore {
  /** The whole object, `undefined` when there is none. The Buffer is the caller's. */
  get(key: string, signal?: AbortSignal): Promise<Buffer | undefined>;
  /**
   * Where objects are files of this host: the first bytes of one into `into`, in the caller's
   * thread. Answers how many came; undefined when there is none, or it cannot be read.
   */
  readIntoSync?(key: string, into: Buffer): number | undefined;
  /** The same in another thread. */
  readInto?(key: string, into: Buffer): Promise<number | undefined>;
  /** Writes only where nothing is; of many at once, exactly one is answered `stored`. */
  putIfAbsent(key: string, bytes: Buffer): Promise<PutOutcome>;
  /** Writes whatever is there; a reader sees the old or the new bytes, never a mixture. */
  replace(key: string, bytes: Buffer): Promise<void>;
  /** Keys below a prefix, or those after the key `after`, in ascending order, in bounded memory. */
  list(prefix: string, after?: string): AsyncIterable<string>;
  /** Counts objects and bytes below a prefix. */
  usage(prefix: string): Promise<ObjectUsage>;
  /** Absent keys are no error. */
  remove(keys: readonly string[]): Promise<void>;
  /**
   * Resolves when every one of these keys, whoever wrote it, would survive a power failure. Puts
   * need not: so that the thousand chunks of an upload share one wait.
   */
  settle(keys: Iterable<string>): Promise<void>;
}

const KEY = /^[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/;

/** Whether a key may have this between two slashes. */
export const isKeySegment = (name: string) => !name.includes('/') && KEY.test(name);

/** Keys are made here from checked parts: one that is not plain is a defect. */
export function checkKey(key: string): string {
  assert(KEY.test(key), `an object's key is a plain path: ${key}`);
  return key;
}
