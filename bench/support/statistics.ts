/** The value below which `share` (0 to 1) of the samples lie; linear between neighbours. */
export function quantileOf(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  if (sorted.length === 0) return Number.NaN;
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  const [below = Number.NaN, above = below] = [sorted[low], sorted[low + 1]];
  return below + (above - below) * (at - low);
}

export const medianOf = (samples: readonly number[]): number => quantileOf(samples, 0.5);
