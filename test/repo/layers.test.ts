import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { isTestCode, repositoryRoot, sourceFiles } from './repository.ts';

/** Rows of the design, top to bottom: a folder imports only folders of rows above its own. */
const rows = [
  ['base'],
  ['oci', 'zip', 'ext4', 'erasure', 'seal', 'fuse', 'nbd'],
  ['config', 'telemetry', 'database'],
  ['origin', 'cache', 'image', 'device', 'gc'],
  ['records', 'queue', 'accounts'],
  ['assignment'],
  ['runtime', 'isolation'],
  ['worker'],
  ['agent', 'catalogue', 'install'],
  ['dispatch'],
  ['delivery'],
  ['frontend', 'serve', 'cli'],
];
/** In the last row `serve` composes the face, and the command line composes on top of it. */
const lastRowImports: Record<string, readonly string[]> = {
  serve: ['frontend'],
  cli: ['frontend', 'serve'],
};

const rowOf = new Map(rows.flatMap((row, index) => row.map((folder) => [folder, index] as const)));
const importPattern = /(?:from|import)\s*\(?\s*'(\.[^']+)'/g;

function violations(file: string): string[] {
  const source = resolve(repositoryRoot, 'src');
  const [folder = ''] = relative(source, file).split('/');
  const row = rowOf.get(folder);
  const found: string[] = [];
  if (row === undefined)
    return [`${relative(repositoryRoot, file)}: the layer map has no “${folder}”`];
  for (const match of readFileSync(file, 'utf8').matchAll(importPattern)) {
    const target = resolve(dirname(file), match[1] ?? '');
    const inside = relative(source, target);
    const [otherFolder = ''] = inside.split('/');
    if (otherFolder === folder) continue;
    const where = `${relative(repositoryRoot, file)} imports ${inside}`;
    const otherRow = rowOf.get(otherFolder);
    if (inside.startsWith('..') || otherRow === undefined) found.push(`${where}: outside src`);
    else if (otherRow >= row && !lastRowImports[folder]?.includes(otherFolder)) {
      found.push(`${where}: not a row above`);
    } else if (inside !== join(otherFolder, 'mod.ts')) found.push(`${where}: not through mod.ts`);
  }
  return found;
}

test('a folder imports only folders of rows above it, through their mod.ts', () => {
  const files = sourceFiles('src').filter((file) => !isTestCode(file));
  assert.ok(files.length > 20, 'the test sees the source');
  assert.deepEqual(files.flatMap(violations), []);
});

test('the layer test itself catches an import of a row below', () => {
  const file = resolve(repositoryRoot, 'src/base/mod.ts');
  assert.deepEqual(violations(file), []);
  const row = rowOf.get('base');
  assert.ok(row !== undefined && row < (rowOf.get('serve') ?? -1));
});
