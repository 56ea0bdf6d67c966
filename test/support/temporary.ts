import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** A directory of the test's own, removed when the test ends. */
export function temporaryDirectory(t: TestContext, name = 'test'): string {
  const directory = mkdtempSync(join(tmpdir(), `sluice-${name}-`));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** The same for a whole suite, which removes it in its `after`. */
export function scratchDirectory(name: string): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), `sluice-${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
