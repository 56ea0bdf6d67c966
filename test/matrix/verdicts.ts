import { readFileSync, writeFileSync } from 'node:fs';

/**
 * What a judge said of each case of a table, with the judge's version. `MATRIX_REWRITE=1` asks the
 * judges again and writes what they say; else the tests read it.
 */
export interface Verdicts<V> {
  readonly judge: string;
  readonly cases: Readonly<Record<string, V>>;
}

export const isRewrite = process.env['MATRIX_REWRITE'] === '1';

export function readVerdicts<V>(url: URL): Verdicts<V> {
  return JSON.parse(readFileSync(url, 'utf8'));
}

/** One line a case, so that a change of one is a change of one line. */
export function writeVerdicts<V>(url: URL, { judge, cases }: Verdicts<V>): void {
  const lines = Object.entries(cases).map(
    ([name, verdict]) => `  ${JSON.stringify(name)}: ${JSON.stringify(verdict)}`,
  );
  const text = `{\n"judge": ${JSON.stringify(judge)},\n"cases": {\n${lines.join(',\n')}\n}\n}\n`;
  writeFileSync(url, text);
}
