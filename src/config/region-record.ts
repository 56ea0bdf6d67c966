import { z } from 'zod';
import { SluiceError } from '../base/mod.ts';
import { readFileIfThere, replaceFileSync } from './durable-file.ts';

/** Raised when an older Sluice could not go on with a data directory as this one leaves it. */
const DATA_FORMAT = 1;

const recordSchema = z.object({
  format: z.int().min(1),
  regionId: z.uuid(),
  /** Raised from time to time, here before in the origin: one behind the origin's is a backup. */
  generation: z.int().min(0).default(0),
  /** Databases that are there, of `state/`. */
  databases: z.array(z.string()).default([]),
  /** Digests of secrets that are there, of `keys/`; they have 256 bits of chance each. */
  secrets: z.record(z.string(), z.string()).default({}),
});

/** What a part of a data directory says of itself: which region's it is, and what it holds. */
export type RegionRecord = z.infer<typeof recordSchema>;

/** Undefined where there is none. Throws `STORE_CORRUPT` for a damaged one or a newer Sluice's. */
export function readRegionRecord(path: string): RegionRecord | undefined {
  const text = readFileIfThere(path);
  if (text === undefined) return undefined;
  const parsed = recordSchema.safeParse(parse(text));
  if (!parsed.success) {
    throw new SluiceError('STORE_CORRUPT', `${path}: is damaged; restore it from a backup`, {
      data: { path },
    });
  }
  const { format } = parsed.data;
  if (format <= DATA_FORMAT) return parsed.data;
  throw new SluiceError(
    'STORE_CORRUPT',
    `${path}: format ${format} is newer than this Sluice knows; use a newer one`,
    { data: { path, format } },
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Durable when it returns. Unless `mayReplace`, what is there already stays. */
export function writeRegionRecord(
  path: string,
  record: Omit<RegionRecord, 'format'>,
  mayReplace: boolean,
): void {
  const text = `${JSON.stringify({ format: DATA_FORMAT, ...record })}\n`;
  replaceFileSync(path, text, !mayReplace);
}
