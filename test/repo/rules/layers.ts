import { posix } from 'node:path';
import { isProduction, type Rule, type SourceText } from '../rule.ts';

/** Which folders of `src` import which. */
export interface LayerMap {
  /** Top to bottom: a folder imports only folders of rows above its own. */
  readonly rows: readonly (readonly string[])[];
  /** What folders import beside that. */
  readonly exceptions: Readonly<Record<string, readonly string[]>>;
}

const IMPORT = /(?:from|import)\s*\(?\s*'(\.[^']+)'/g;

function violations({ path, text }: SourceText, { rows, exceptions }: LayerMap): string[] {
  const rowOf = (folder: string) => rows.findIndex((row) => row.includes(folder));
  const [, folder = ''] = path.split('/');
  const row = rowOf(folder);
  if (row < 0) return [`${path}: the layer map has no “${folder}”`];
  return [...text.matchAll(IMPORT)].flatMap((match) => {
    const target = posix.join(posix.dirname(path), match[1] ?? '');
    const [source, other = ''] = target.split('/');
    if (source === 'src' && other === folder) return [];
    const otherRow = source === 'src' ? rowOf(other) : -1;
    const where = `${path} imports ${target}`;
    if (otherRow < 0) return [`${where}: outside src, or not in the layer map`];
    if (otherRow >= row && !exceptions[folder]?.includes(other)) {
      return [`${where}: not a row above`];
    }
    return target === `src/${other}/mod.ts` ? [] : [`${where}: not through mod.ts`];
  });
}

export function layerRule(map: LayerMap): Rule {
  return {
    title: 'a folder imports only folders of rows above it, through their mod.ts',
    check(files) {
      const code = files.filter(isProduction);
      const folders = new Set(code.map(({ path }) => path.split('/')[1] ?? ''));
      const absent = map.rows.flat().filter((folder) => !folders.has(folder));
      return [
        ...code.flatMap((file) => violations(file, map)),
        ...absent.map((folder) => `the layer map’s “${folder}” is no folder of src`),
      ];
    },
  };
}
