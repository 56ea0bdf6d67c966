import type { ByteReader } from '../byte-reader.ts';
import type { TarExtent } from './tar-entry.ts';
import { BLOCK_BYTES, tarNumber } from './tar-header.ts';

/** A sparse map that does not parse or contradicts the entry's sizes. */
export class SparseError extends Error {}

const OLD_HEADER_EXTENTS = 386;
const OLD_HEADER_IS_EXTENDED = 482;
const OLD_HEADER_REAL_SIZE = 483;
const EXTENTS_IN_HEADER = 4;
const EXTENTS_IN_BLOCK = 21;
const EXTENT_BYTES = 24;

/** More than a file of 10 GiB with a hole in every second page has. */
const EXTENTS_MAX = 2_000_000;

/** What a sparse entry says beyond its header. */
export interface SparseMap {
  readonly realSizeBytes: number;
  readonly extents: readonly TarExtent[];
}

/** GNU's old format, type `S`: four extents in the header, 21 in each block that follows it. */
export async function readOldSparseMap(header: Buffer, reader: ByteReader): Promise<SparseMap> {
  const extents: TarExtent[] = [];
  readExtents(header, OLD_HEADER_EXTENTS, EXTENTS_IN_HEADER, extents);
  let extended = header[OLD_HEADER_IS_EXTENDED] !== 0;
  const realSizeBytes = tarNumber(header, OLD_HEADER_REAL_SIZE, 12);
  while (extended) {
    if (!(await reader.ensure(BLOCK_BYTES))) throw new SparseError('the sparse map is cut short');
    const block = reader.take(BLOCK_BYTES);
    readExtents(block, 0, EXTENTS_IN_BLOCK, extents);
    if (extents.length > EXTENTS_MAX) throw new SparseError('the sparse map is too long');
    extended = block[EXTENTS_IN_BLOCK * EXTENT_BYTES] !== 0;
  }
  return { realSizeBytes, extents };
}

function readExtents(block: Buffer, start: number, count: number, into: TarExtent[]): void {
  for (let i = 0; i < count; i++) {
    const at = start + i * EXTENT_BYTES;
    if (block[at] === 0) return;
    into.push({ offset: tarNumber(block, at, 12), length: tarNumber(block, at + 12, 12) });
  }
}

/** `offset,length,offset,length…`, as PAX formats 0.0 (gathered) and 0.1 have it. */
export function parseSparseList(numbers: readonly string[]): TarExtent[] {
  if (numbers.length % 2 !== 0) throw new SparseError('the sparse map has an odd length');
  const extents: TarExtent[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    extents.push({ offset: decimal(numbers[i]!), length: decimal(numbers[i + 1]!) });
  }
  return extents;
}

function decimal(text: string): number {
  const value = Number(text);
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value)) {
    throw new SparseError(`the sparse map has "${text.slice(0, 24)}" for a number`);
  }
  return value;
}

/**
 * PAX format 1.0: the map is text at the start of the content, one number a line, the count of
 * extents first, padded to whole blocks. Answers the extents and how many bytes the map took.
 */
export async function readSparseMap10(
  reader: ByteReader,
  storedBytes: number,
): Promise<{ extents: TarExtent[]; mapBytes: number }> {
  let mapBytes = 0;
  let rest = '';
  const numbers: string[] = [];
  for (;;) {
    const wanted = numbers.length === 0 ? 1 : 1 + 2 * decimal(numbers[0]!);
    if (wanted > 1 + 2 * EXTENTS_MAX) throw new SparseError('the sparse map is too long');
    if (numbers.length >= wanted) {
      return { extents: parseSparseList(numbers.slice(1, wanted)), mapBytes };
    }
    if (mapBytes + BLOCK_BYTES > storedBytes || !(await reader.ensure(BLOCK_BYTES))) {
      throw new SparseError('the sparse map is cut short');
    }
    const lines = (rest + reader.take(BLOCK_BYTES).toString('latin1')).split('\n');
    mapBytes += BLOCK_BYTES;
    rest = lines.pop() ?? '';
    if (rest.length > 24 && !/^\0*$/.test(rest)) throw new SparseError('the sparse map is no text');
    numbers.push(...lines);
  }
}

/**
 * Checks that the extents ascend, do not overlap, end within the file and hold exactly the stored
 * bytes; drops the empty ones.
 */
export function checkSparseMap(map: SparseMap, storedBytes: number): TarExtent[] {
  let end = 0;
  let total = 0;
  for (const { offset, length } of map.extents) {
    if (offset < end || length < 0 || offset + length > map.realSizeBytes) {
      throw new SparseError('the sparse map has overlapping extents or passes the end of the file');
    }
    end = offset + length;
    total += length;
  }
  if (total !== storedBytes) {
    throw new SparseError(`the sparse map has ${total} bytes of data, the entry ${storedBytes}`);
  }
  return map.extents.filter((extent) => extent.length > 0);
}
