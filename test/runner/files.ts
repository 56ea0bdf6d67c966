import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

export interface TestFile {
  /** From the repository's root. */
  readonly path: string;
  /** Takes neither root nor a network: what `npm run test:unit` runs. */
  readonly unit: boolean;
  /** Why it runs only when it is asked for, if the file says so: `npm run test:heavy`. */
  readonly heavyBecause: string | undefined;
  /** Why no other test may run meanwhile, if the file says so. */
  readonly aloneBecause: string | undefined;
  /** Why no other unit test may run in its process, if the file says so. */
  readonly ownProcessBecause: string | undefined;
}

/** Where tests stand. */
const FOLDERS = ['src', 'test', 'bench'];

function walk(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : walk(path);
    return path.endsWith('.test.ts') ? [path] : [];
  });
}

/** What a test file says about itself, by its path and its text. */
export function describeTestFile(path: string, text: string): TestFile {
  const asksForRoot = /\bhost(Has|Lacks)\(/.test(text) && /'root'|\b[A-Z]+_NEEDS\b/.test(text);
  return {
    path,
    unit: !path.startsWith('test/e2e/') && !asksForRoot,
    heavyBecause: /^\/\/ Heavy: (\S.*)$/m.exec(text)?.[1],
    aloneBecause: /^\/\/ Runs alone: (\S.*)$/m.exec(text)?.[1],
    ownProcessBecause: /^\/\/ Own process: (\S.*)$/m.exec(text)?.[1],
  };
}

/** The test files below the root whose path has one of the words; all of them without words. */
export function findTestFiles(root: string, words: readonly string[]): TestFile[] {
  return FOLDERS.flatMap((folder) => walk(join(root, folder)))
    .map((file) => relative(root, file))
    .filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
    .sort()
    .map((path) => describeTestFile(path, readFileSync(join(root, path), 'utf8')));
}
