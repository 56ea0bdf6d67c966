import { readdirSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { limits, SluiceError, systemErrorCode } from '../base/mod.ts';
import type { DataDirectory } from '../config/mod.ts';

/** Of `state/` and `keys/`, what a region opens by name; the rest is stray or its own folders. */
const opened = /\.(sqlite(-wal|-shm|-synced)?|json|key|secret)$/;
const isDatabase = /\.sqlite(-wal|-shm)?$/;

/**
 * Throws `STORE_CORRUPT` for the first of the files that a start reads which is no file, cannot be
 * reached, or is longer than any that was written: a pipe would be waited for, and a directory or a
 * loop of links would fail somewhere deep. What is absent is for others to judge.
 */
export function requireFileKinds(data: DataDirectory): void {
  const { configFile, credentialsFile, addressFile, lockFile, regionFiles } = data;
  const files = [
    ...[configFile, credentialsFile, addressFile, lockFile, regionFiles.making],
    ...filesOf(data.state),
    ...filesOf(data.keys),
    ...namesIn(join(data.keys, 'accounts')).flatMap(filesOf),
    ...namesIn(join(data.origin, 'owner')),
  ];
  for (const path of files) requireKind(path);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch {
    return [];
  }
}

function filesOf(folder: string): string[] {
  return namesIn(folder).filter((path) => opened.test(path));
}

function requireKind(path: string): void {
  let found: Stats;
  try {
    found = statSync(path);
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') return;
    const text = `${path}: cannot be read (${systemErrorCode(cause)}); restore it from a backup`;
    throw new SluiceError('STORE_CORRUPT', text, { data: { path }, cause });
  }
  const most = limits.host.smallFileBytes;
  const isLong = !isDatabase.test(path) && found.size > most;
  if (found.isFile() && !isLong) return;
  const why = isLong ? `is longer than ${most} bytes` : 'is no file, but something else';
  throw new SluiceError('STORE_CORRUPT', `${path}: ${why}; move it away and restore the file`, {
    data: { path },
  });
}
