import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

interface Script {
  readonly url: string;
  readonly functions: readonly { readonly ranges: readonly Range[] }[];
}

/**
 * What one run of a test file reached, from the files that `NODE_V8_COVERAGE` makes. Type
 * stripping keeps every character where it was, so the offsets are those of the source.
 */
export class Coverage {
  readonly #scripts = new Map<string, Range[][]>();

  static read(directory: string): Coverage {
    const coverage = new Coverage();
    for (const name of readdirSync(directory)) {
      const { result } = JSON.parse(readFileSync(join(directory, name), 'utf8')) as {
        result: Script[];
      };
      for (const script of result) coverage.#add(script);
    }
    return coverage;
  }

  #add({ url, functions }: Script): void {
    if (!url.startsWith('file:')) return;
    const path = fileURLToPath(url);
    const ranges = functions.flatMap((each) => each.ranges);
    this.#scripts.set(path, [...(this.#scripts.get(path) ?? []), ranges]);
  }

  /** Whether any process of the run came past this place of a file, given by absolute path. */
  reaches(path: string, offset: number): boolean {
    return (this.#scripts.get(path) ?? []).some((ranges) => countAt(ranges, offset) > 0);
  }
}

/** The smallest range around a place says how often it was passed. */
function countAt(ranges: readonly Range[], offset: number): number {
  let smallest: Range | undefined;
  for (const range of ranges) {
    if (offset < range.startOffset || offset >= range.endOffset) continue;
    const size = range.endOffset - range.startOffset;
    if (!smallest || size <= smallest.endOffset - smallest.startOffset) smallest = range;
  }
  return smallest?.count ?? 0;
}
