import { dirname, join } from 'node:path/posix';
import { isProduction, isTestCode, isTypeScript, type Rule } from '../rule.ts';

const LINES_MOST = 400;

export const smallFiles: Rule = {
  title: 'source files stay small enough to read',
  check: (files) =>
    files
      .filter(isProduction)
      .map(({ path, text }) => ({ path, lines: text.split('\n').length }))
      .filter(({ lines }) => lines > LINES_MOST)
      .map(({ path, lines }) => `${path}: ${lines} lines`),
};

export const wholeProperties: Rule = {
  title: 'no property is cut short by a time: a busy machine would try less',
  check: (files) =>
    files
      .filter((file) => isTypeScript(file) && !file.path.startsWith('test/repo/'))
      .filter(({ text }) => /interruptAfterTimeLimit/.test(text))
      .map(({ path }) => path),
};

const RELATIVE = /(?:from|import|URL|resolve)\s*\(?\s*'(\.{1,2}\/[^']+\.ts)'/g;
/** The assignment's state as a value, which no process sends to another yet. */
const UNUSED_YET = new Set(['src/assignment/snapshot.ts']);
const isOutside = (path: string) => /^(test|bench)\//.test(path) || isTestCode(path);

export const testCodeSaysSo: Rule = {
  title:
    'source that only tests use is called .fixture.ts, or .conformance.ts, and by no other suffix',
  check: (files) => {
    const users = new Map<string, string[]>();
    for (const { path, text } of files.filter(isTypeScript)) {
      for (const [, link = ''] of text.matchAll(RELATIVE)) {
        const used = join(dirname(path), link);
        users.set(used, [...(users.get(used) ?? []), path]);
      }
    }
    return files
      .filter((file) => isProduction(file) && !UNUSED_YET.has(file.path))
      .map(({ path }) => ({ path, by: users.get(path) ?? [] }))
      .filter(({ by }) => by.length > 0 && by.every(isOutside))
      .map(({ path, by }) => `${path}: used by ${by[0]} and no program`);
  },
};
