import type { ErasureCode } from '../../erasure/mod.ts';

export interface HonestChunk {
  readonly chunk: Buffer;
  /** The stripes that were given and are not the chunk's. */
  readonly liars: readonly number[];
}

/**
 * The chunk from stripes of which some lie: tries ways to choose k of them until one verifies, at
 * most `trials`; each costs a hash of the chunk. Undefined when none does. Pure.
 */
export function findHonestChunk(
  code: ErasureCode,
  stripes: readonly (Uint8Array | undefined)[],
  verify: (chunk: Buffer) => boolean,
  trials: number,
): HonestChunk | undefined {
  const present = [...stripes.keys()].filter((index) => stripes[index]);
  let left = trials;
  for (const chosen of choices(present, code.k)) {
    if (left-- <= 0) return undefined;
    const chunk = code.reconstruct(
      stripes.map((each, i) => (chosen.includes(i) ? each : undefined)),
    );
    if (verify(chunk)) return { chunk, liars: liarsAmong(code, stripes, chunk) };
  }
  return undefined;
}

/** Which of the stripes are not what the chunk is cut into. */
export function liarsAmong(
  code: ErasureCode,
  stripes: readonly (Uint8Array | undefined)[],
  chunk: Buffer,
): number[] {
  if (!stripes.some((stripe) => stripe)) return [];
  const truth = code.encode(chunk);
  return [...stripes.keys()].filter((index) => {
    const stripe = stripes[index];
    return stripe && Buffer.compare(stripe, truth[index]!) !== 0;
  });
}

/** Every way to choose `count` of `items`, in lexical order. */
function* choices(items: readonly number[], count: number): Generator<readonly number[]> {
  if (count === 0) {
    yield [];
    return;
  }
  for (let i = 0; i + count <= items.length; i++) {
    for (const rest of choices(items.slice(i + 1), count - 1)) yield [items[i]!, ...rest];
  }
}
