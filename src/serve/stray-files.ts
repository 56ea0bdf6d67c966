import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../base/mod.ts';
import type { DataDirectory } from '../config/mod.ts';

/** What each folder has, besides what SQLite and our writers keep there for a while. */
const known = (data: DataDirectory): readonly (readonly [string, RegExp])[] => [
  [
    data.state,
    /^((functions|layers|accounts|events|mappings)\.sqlite|usage\.json|region\.json|archives|reserve$)/,
  ],
  [data.keys, /^(master\.key$|dedup\.secret$|region\.json|accounts$|registries$|\.[0-9a-f]{16}$)/],
  [data.logs, /^\d{12}$/],
  [data.origin, /^(roots|state|pins|alarms|owner|tmp)$/],
  [join(data.origin, 'state'), /^\d{8}t\d{9}-[0-9a-f]{8}$/],
  [join(data.origin, 'roots'), /^\d{8}t\d{9}-[0-9a-f]{8}$/],
];

/** Files that are nothing of a region's: they are left alone, and said once. */
export function strayFiles(data: DataDirectory): string[] {
  return known(data).flatMap(([folder, names]) =>
    namesIn(folder).flatMap((name) => (names.test(name) ? [] : [join(folder, name)])),
  );
}

export function reportStrayFiles(data: DataDirectory, logger: Logger): void {
  const paths = strayFiles(data);
  if (paths.length === 0) return;
  const shown = paths.slice(0, 10);
  logger.warn({ paths: shown, count: paths.length }, 'files that are nothing of the region');
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
