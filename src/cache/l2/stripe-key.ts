import { SluiceError } from '../../base/mod.ts';
import type { ChunkName } from '../../seal/mod.ts';

/** Where a cache node keeps stripes; a stripe's id follows. */
export const STRIPES_PATH = '/v1/stripes/';

/**
 * One stripe in L2. A root is no part of it: a chunk's name is the hash of its ciphertext, so a
 * chunk that garbage collection copied to another root is found under the name that it had.
 */
export interface StripeKey {
  readonly chunkName: ChunkName;
  /** The code that cut it: stripes of different codes do not go together. */
  readonly k: number;
  readonly m: number;
  /** 0 … k+m-1 */
  readonly index: number;
}

/** The form of a stripe key in a path, a map and a signature: `<name>/<k>+<m>/<index>`. */
export function stripeId({ chunkName, k, m, index }: StripeKey): string {
  return `${chunkName}/${k}+${m}/${index}`;
}

const ID = /^([0-9a-f]{64})\/([1-9]\d?)\+([1-9]\d?)\/(0|[1-9]\d?\d?)$/;

/** Rejects what `stripeId` cannot have made with `USAGE`. */
export function parseStripeId(id: string): StripeKey {
  const match = ID.exec(id);
  const [k, m, index] = [Number(match?.[2]), Number(match?.[3]), Number(match?.[4])];
  if (!match || index >= k + m) {
    throw new SluiceError('USAGE', `${id.slice(0, 100)}: not a stripe (name/k+m/index)`);
  }
  return { chunkName: match[1]!, k, m, index };
}
