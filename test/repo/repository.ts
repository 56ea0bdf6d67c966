import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const repositoryRoot = resolve(import.meta.dirname, '../..');

const ignored = new Set(['node_modules', '.git', '.sluice', 'dist', 'coverage']);

function walk(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    if (ignored.has(entry.name)) return [];
    const path = join(directory, entry.name);
    return entry.isDirectory() ? walk(path) : [path];
  });
}

/** The TypeScript files below a folder of the repository, absolute. */
export function sourceFiles(folder: string): string[] {
  const directory = join(repositoryRoot, folder);
  return existsSync(directory) ? walk(directory).filter((file) => file.endsWith('.ts')) : [];
}

/** Every file that git tracks or would track, relative to the root. */
export function trackedFiles(): string[] {
  const arguments_ = ['ls-files', '--cached', '--others', '--exclude-standard'];
  return execFileSync('git', arguments_, { cwd: repositoryRoot, encoding: 'utf8' })
    .split('\n')
    .filter((file) => file !== '' && existsSync(join(repositoryRoot, file)));
}

/** Test code beside the source: tests, conformance suites, and processes that only tests start. */
export function isTestCode(file: string): boolean {
  return /\.(test|conformance|fakes)\.ts$|-fixture\.ts$|\/testing\//.test(file);
}
