import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

const made = new Set<string>();

function make(name: string): string {
  const path = mkdtempSync(join(tmpdir(), `sluice-${name}-`));
  if (made.size === 0) process.once('exit', removeAll);
  made.add(path);
  return path;
}

function removeAll(): void {
  for (const path of made) rmSync(path, { recursive: true, force: true, maxRetries: 20 });
}

/**
 * What a test began may still write there: a test's clean-up runs in the order in which it was asked
 * for, so this directory's comes before that of what was started in it. What cannot be removed yet
 * goes when the process ends.
 */
function remove(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EBUSY') throw error;
  }
}

/** A directory of the test's own, removed when the test ends. */
export function temporaryDirectory(t: TestContext, name = 'test'): string {
  const path = make(name);
  t.after(() => remove(path));
  return path;
}

/** The same for a whole suite, which removes it in its `after`. */
export function scratchDirectory(name: string): { path: string; remove(): void } {
  const path = make(name);
  return { path, remove: () => remove(path) };
}
