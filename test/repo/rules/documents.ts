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
