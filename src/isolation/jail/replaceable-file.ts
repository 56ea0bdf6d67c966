import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { HelperMount } from './types.ts';

const OTHERS_MAY_READ_AND_ENTER = 0o005;

/**
 * Shows a helper a file that may be replaced while it is read: by its folder, whose owners are
 * kept. Where others may not enter that folder, or it holds what the helper is given besides, the
 * file alone is shown, and only what is written into it in place is seen.
 */
export function replaceableFile(path: string, given: readonly string[]): HelperMount {
  const folder = dirname(path);
  const { mode } = statSync(folder);
  const isOpen = (mode & OTHERS_MAY_READ_AND_ENTER) === OTHERS_MAY_READ_AND_ENTER;
  const holdsGiven = given.some((each) => each.startsWith(folder === '/' ? '/' : `${folder}/`));
  if (isOpen && !holdsGiven) return { path: folder, access: 'read', owners: 'kept' };
  return { path, access: 'read' };
}
