import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A benchmark's file of results. */
export interface Results {
  readonly name: string;
  readonly when?: { readonly date: string; readonly load: readonly number[] };
  readonly result: unknown;
}

/** The results of one commit, by benchmark; throws when there are none. */
export function resultsOf(directory: string, commit: string): Map<string, Results> {
  const folder = join(directory, commit);
  if (!existsSync(folder)) throw new Error(`${commit}: no benchmark was run of that commit`);
  return new Map(
    readdirSync(folder)
      .filter((file) => file.endsWith('.json'))
      .map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Results)
      .map((results) => [results.name, results]),
  );
}

/** Rows of figure, before, after and after ÷ before, of what both have. */
export function comparison(before: Results, after: Results): string[][] {
  const old = new Map(figuresOf(before.result));
  return [...figuresOf(after.result)].flatMap(([figure, now]) => {
    const was = old.get(figure);
    if (was === undefined) return [];
    const ratio = was === 0 ? '' : (now / was).toFixed(2);
    return [[figure, was.toPrecision(4), now.toPrecision(4), ratio]];
  });
}

/** Every number in a result, by where it stands. */
function* figuresOf(value: unknown, path = ''): Iterable<[string, number]> {
  if (typeof value === 'number') yield [path, value];
  if (typeof value !== 'object' || value === null) return;
  for (const [name, each] of Object.entries(value)) {
    yield* figuresOf(each, path === '' ? name : `${path} ${name}`);
  }
}
