import { InvalidArgumentError } from 'commander';
import { GIB, KIB, MIB } from '../base/mod.ts';

const UNITS: Readonly<Record<string, number>> = { '': 1, K: KIB, M: MIB, G: GIB, T: 1024 * GIB };

/** `1073741824`, `512M`, `1.5GiB`: a size as people write it; units are powers of 1024. */
export function byteSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?) *([KMGT]?)(?:i?B)?$/i.exec(text.trim());
  const bytes = Math.floor(Number(match?.[1]) * (UNITS[match?.[2]?.toUpperCase() ?? ''] ?? 0));
  if (!match || !Number.isSafeInteger(bytes)) {
    throw new InvalidArgumentError('a size is wanted, such as 512M or 8GiB');
  }
  return bytes;
}
