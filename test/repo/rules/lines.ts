import { isProduction, isTypeScript, lineRule, type SourceText } from '../rule.ts';

/** The rules themselves name what they refuse. */
const isRule = ({ path }: SourceText) => path.startsWith('test/repo/');

export const timeAndChance = lineRule(
  'time and chance come through constructors: only base touches the real ones',
  (file) => isProduction(file) && !file.path.startsWith('src/base/'),
  new RegExp(
    [
      String.raw`\b(Date\.now|performance\.now|process\.(hrtime|uptime)|AbortSignal\.timeout)\b`,
      String.raw`\b(setTimeout|setInterval|setImmediate|Atomics\.waitAsync)\b`,
      String.raw`\bnew Date(\(\)|;|$)|\btimers/promises\b`,
      String.raw`\b(Math\.random|randomBytes|randomUUID|randomInt|randomFill(Sync)?|getRandomValues)\b`,
    ].join('|'),
  ),
);

export const nothingLeftOver = lineRule(
  'nothing is left over: no focused or unwritten test, no lint rule switched off for a file',
  (file) => isTypeScript(file) && !isRule(file),
  /\b(test|it|describe)\.(only|todo)\b|biome-ignore-all/,
);

/** Also in comments, where such words mostly stand. */
export const nothingPutOff = {
  title: 'nothing is put off: no TODO, no FIXME',
  check: (files: readonly SourceText[]) =>
    files
      .filter((file) => isTypeScript(file) && !isRule(file))
      .filter(({ text }) => /\b(TODO|FIXME|XXX)\b/.test(text))
      .map(({ path }) => path),
};

export const errorField = lineRule(
  'a log line holds an error under “error”',
  isProduction,
  /[{,]\s*err(:|\s*[,}])/,
);

/** Programs read codes and data; a message may be worded anew at any time. */
export const messagesAreForPeople = lineRule(
  'nothing is decided by the text of an error',
  isProduction,
  /\.message\s*(===|!==|\.(includes|startsWith|endsWith|match)\()|\.test\([\w.]*\.message\)/,
);
