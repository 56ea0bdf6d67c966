/** A file of the repository: its path from the root, with slashes, and what is in it. */
export interface SourceText {
  readonly path: string;
  readonly text: string;
}

/** A rule of the house: pure, so that a test can give it files that it must refuse. */
export interface Rule {
  readonly title: string;
  /** What breaks the rule, a line each, the path first. */
  check(files: readonly SourceText[]): string[];
}

/**
 * Test code beside the source: tests, suites that every implementation of a seam passes, and all else
 * that only they use: helpers, fakes, models, samples, processes of theirs.
 */
export function isTestCode(path: string): boolean {
  return /\.(test|conformance|fixture)\.ts$/.test(path);
}

export function isTypeScript({ path }: SourceText): boolean {
  return path.endsWith('.ts');
}

/** Code that runs outside tests. */
export function isProduction({ path }: SourceText): boolean {
  return path.startsWith('src/') && path.endsWith('.ts') && !isTestCode(path);
}

/** A rule about single lines of code; whole-line comments are no code. */
export function lineRule(
  title: string,
  applies: (file: SourceText) => boolean,
  banned: RegExp,
): Rule {
  return {
    title,
    check: (files) =>
      files.filter(applies).flatMap(({ path, text }) =>
        text
          .split('\n')
          .map((line, index) => ({ line, at: `${path}:${index + 1}` }))
          .filter(({ line }) => banned.test(line) && !/^\s*(\*|\/\/|\/\*)/.test(line))
          .map(({ line, at }) => `${at}: ${line.trim()}`),
      ),
  };
}
