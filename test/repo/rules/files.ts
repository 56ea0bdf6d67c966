import { isProduction, isTypeScript, type Rule } from '../rule.ts';

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
  title: 'no asynchronous property is cut short: its run would go on behind the test',
  check: (files) =>
    files
      .filter((file) => isTypeScript(file) && !file.path.startsWith('test/repo/'))
      .filter(({ text }) => /asyncProperty/.test(text) && /interruptAfterTimeLimit/.test(text))
      .map(({ path }) => path),
};
