import { assert } from '../base/mod.ts';
import { inverse, invert, type Matrix, multiply } from './galois.ts';

/**
 * The m × k coefficients from which parity stripes are summed: a Cauchy matrix, whose square
 * submatrices are all invertible, so that any k stripes are enough. Its columns are scaled to make
 * the first row all ones (which keeps that property): the first parity stripe is then the XOR of
 * the data, and a code of m = 1 is the paper's plain XOR (ATC'23 section 4.1).
 */
export function parityRows(k: number, m: number): Matrix {
  assert(k + m <= 256, 'GF(256) has room for 256 stripes');
  return Array.from({ length: m }, (_, r) =>
    Uint8Array.from({ length: k }, (_, c) => {
      const firstRow = inverse(0 ^ (m + c));
      return multiply(inverse(r ^ (m + c)), inverse(firstRow));
    }),
  );
}

/**
 * The coefficients that give the data stripes `wanted` from the stripes `present` (k of them, data
 * stripes numbered 0 … k-1 and parity stripes from k on).
 */
export function recoveryRows(
  k: number,
  parity: Matrix,
  present: readonly number[],
  wanted: readonly number[],
): Matrix {
  assert(present.length === k, `recovery takes exactly ${k} stripes`);
  const system = present.map((index) => {
    if (index >= k) return parity[index - k]!;
    const unit = new Uint8Array(k);
    unit[index] = 1;
    return unit;
  });
  const inverted = invert(system);
  assert(inverted, 'every k rows of the generator matrix are independent');
  return wanted.map((index) => inverted[index]!);
}
