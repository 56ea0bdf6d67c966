import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemErrorCode } from '../base/mod.ts';

/** One line as it is stored, a JSON object a line. */
export interface StoredLine {
  readonly timeEpochMs: number;
  readonly stream: string;
  readonly requestId?: string | undefined;
  readonly source: 'function' | 'extension' | 'platform';
  readonly text: string;
}

const suffix = '.jsonl';

/** A group's directory: readable where its name is short, and never outside of the account's. */
export function groupDirectory(root: string, accountId: string, logGroup: string): string {
  const escaped = encodeURIComponent(logGroup).replaceAll('.', '%2E');
  const digest = createHash('sha256').update(logGroup).digest('hex').slice(0, 16);
  const name = escaped.length <= 200 ? escaped : `${escaped.slice(0, 180)}-${digest}`;
  return join(root, accountId, name);
}

/** Segments are numbered from 1 and written one after the other. */
export function segmentPath(directory: string, number: number): string {
  return join(directory, `${String(number).padStart(8, '0')}${suffix}`);
}

/** The numbers of a group's segments, in order; none if there is no such group. */
export async function listSegments(directory: string): Promise<number[]> {
  try {
    const names = await readdir(directory);
    const numbers = names.flatMap((name) => /^(\d{8,})\.jsonl$/.exec(name)?.[1] ?? []).map(Number);
    return numbers.filter((number) => number > 0).sort((a, b) => a - b);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
