import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { SourceText } from './rule.ts';

export { isTestCode } from './rule.ts';

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

/**
 * Every file that git tracks or would track, relative to the root; where there is no git, or none
 * of its clones, every file that is not made by a tool.
 */
export function trackedFiles(): string[] {
  const words = ['ls-files', '--cached', '--others', '--exclude-standard'];
  const { status, stdout } = spawnSync('git', words, { cwd: repositoryRoot, encoding: 'utf8' });
  if (status !== 0) return walk(repositoryRoot).map((file) => relative(repositoryRoot, file));
  return stdout.split('\n').filter((file) => file !== '' && existsSync(join(repositoryRoot, file)));
}

/** Every tracked file; those that are not text of ours to judge have a path and no text. */
export function repositoryTexts(): SourceText[] {
  const isText = (path: string) => /\.(ts|mjs|md|json)$/.test(path);
  return trackedFiles().map((path) => ({
    path,
    text: isText(path) ? readFileSync(join(repositoryRoot, path), 'utf8') : '',
  }));
}
