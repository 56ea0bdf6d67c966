import type { FunctionCache } from './function-cache.ts';

/** What names are resolved against: the functions of one region, from memory. */
export interface Catalogue {
  readonly region: string;
  readonly cache: FunctionCache;
}
