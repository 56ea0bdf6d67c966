import { posix } from 'node:path';
import { isProduction, type Rule, type SourceText } from '../rule.ts';

const isDocument = ({ path }: SourceText) => path.endsWith('.md');
const CATALOGUE = 'src/base/error-catalogue.ts';

/** Files, and the folders that they lie in. */
function placesOf(files: readonly SourceText[]): Set<string> {
  const places = new Set<string>(['.']);
  for (const { path } of files) {
    for (let each = path; each !== '.'; each = posix.dirname(each)) places.add(each);
  }
  return places;
}

export const linksLead: Rule = {
  title: 'every relative link in a document leads to a file',
  check(files) {
    const places = placesOf(files);
    return files.filter(isDocument).flatMap(({ path, text }) =>
      [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map((match) => match[1] ?? '')
        .filter((link) => !/^[a-z]+:/.test(link))
        .filter((link) => !places.has(posix.join(posix.dirname(path), link).replace(/\/$/, '')))
        .map((link) => `${path}: ${link}`),
    );
  },
};

/** The codes of the catalogue: the keys of its object. */
const codesOf = (files: readonly SourceText[]) =>
  [
    ...(files.find(({ path }) => path === CATALOGUE)?.text ?? '').matchAll(/^ {2}([A-Z_0-9]+):/gm),
  ].map((match) => match[1] ?? '');

export const codesAreRaised: Rule = {
  title: 'every error code is raised somewhere',
  check(files) {
    const text = files
      .filter((file) => isProduction(file) && file.path !== CATALOGUE)
      .map((file) => file.text)
      .join('\n');
    return codesOf(files).filter((code) => !text.includes(`'${code}'`));
  },
};

/** The names of a page's table: the first column, in backquotes. */
const namesOn = (files: readonly SourceText[], page: string) =>
  [...(files.find(({ path }) => path === page)?.text ?? '').matchAll(/^\| `(\w+)` \|/gm)].map(
    (match) => match[1] ?? '',
  );

function pageLists(page: string, namesOf: (files: readonly SourceText[]) => string[]): Rule {
  return {
    title: `${page} has what the code has, each once`,
    check(files) {
      const listed = namesOn(files, page);
      const names = new Set(namesOf(files));
      return [
        ...[...names].filter((name) => !listed.includes(name)).map((name) => `${name}: not listed`),
        ...listed.filter((name) => !names.has(name)).map((name) => `${name}: there is none`),
        ...listed.filter((name, at) => listed.indexOf(name) !== at).map((name) => `${name}: twice`),
      ];
    },
  };
}

export const errorsPage = pageLists('docs/errors.md', codesOf);

export const metricsPage = pageLists('docs/metrics.md', (files) =>
  files
    .filter(isProduction)
    .flatMap(({ text }) => [...text.matchAll(/'(sluice_\w+)'/g)].map((match) => match[1] ?? ''))
    .filter((name) => !name.endsWith('_id')),
);

const DECISION = /^docs\/decisions\/(\d{4})-/;

export const decisionNumbers: Rule = {
  title: 'a decision has a number of its own, and its title has it too',
  check(files) {
    const decisions = files.flatMap(({ path, text }) => {
      const number = DECISION.exec(path)?.[1];
      return number === undefined ? [] : [{ path, text, number }];
    });
    const numbers = decisions.map(({ number }) => number);
    return decisions
      .filter(
        ({ number, text }, at) =>
          numbers.indexOf(number) !== at || !text.startsWith(`# ${number} `),
      )
      .map(({ path }) => path);
  },
};

export const oneNodeVersion: Rule = {
  title: 'README asks for the Node that package.json asks for',
  check(files) {
    const textOf = (wanted: string) => files.find(({ path }) => path === wanted)?.text;
    const [readme, settings] = [textOf('README.md'), textOf('package.json')];
    if (readme === undefined || settings === undefined) return [];
    const version = /"node": ">=([\d.]+)"/.exec(settings)?.[1];
    return readme.includes(`Node ${version} or later`) ? [] : [`README.md: Node ${version}`];
  },
};
