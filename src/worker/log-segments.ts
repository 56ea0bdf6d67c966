import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemErrorCode } from '../base/mod.ts';
import type { LogLine } from './types.ts';

/** One line as it is stored, a JSON object a line. */
export interface StoredLine {
  readonly timeEpochMs: number;
  readonly stream: string;
  readonly requestId?: string | undefined;
  readonly source: 'function' | 'extension' | 'platform';
  readonly text: string;
}

/** A file of a group, as the store counts it. */
export interface LogSegment {
  readonly group: LogGroup;
  readonly number: number;
  sizeBytes: number;
}

/** A group's files, and the lines that wait to be written to them. */
export interface LogGroup {
  readonly directory: string;
  readonly accountId: string;
  /** What waits of all groups of the account. */
  readonly account: { pendingBytes: number };
  /** Oldest first; the last one is written to. */
  readonly segments: LogSegment[];
  pending: LogLine[];
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

/** What of a line its segment keeps; the path says whose it is. */
export function storedLine(line: LogLine): StoredLine {
  const { timeEpochMs, logStream, requestId, source, text } = line;
  return { timeEpochMs, stream: logStream, requestId, source, text };
}

/** Names of the folders in a folder; anything else there is not ours. */
export async function foldersIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
