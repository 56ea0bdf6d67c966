import { posix } from 'node:path';
import { isProduction, isTypeScript, type Rule, type SourceText } from '../rule.ts';

interface Imported {
  /** Path of the file imported from. */
  readonly from: string;
  /** As the other file names them; `*` for all of them. */
  readonly names: readonly string[];
  /** As an `export … from` passes them on. */
  readonly passedOn: readonly string[];
}

const DECLARED =
  /^export (?:declare )?(?:async )?(?:abstract )?(?:interface|type|class|enum|function\*?|const|let) (\w+)/gm;
const DESTRUCTURED = /^export const [[{]([^\]}]*)[\]}]/gm;
const CLAUSE = /^(import|export) (?:type )?(\{[^}]*\}|\* as \w+|\*|\w+) from '(\.[^']+)'/gm;
const INLINE = /import\('(\.[^']+)'\)(?:\.(\w+))?/g;
const EXPORTED_TYPE = /^export (?:declare )?(?:abstract )?(?:interface|type|class|enum) (\w+)/gm;

/** The names of `{ a, type B, c as d }`, theirs and ours. */
const namesOf = (clause: string) =>
  clause.startsWith('{')
    ? clause
        .slice(1, -1)
        .split(',')
        .map((each) =>
          each
            .trim()
            .replace(/^type /, '')
            .split(' as '),
        )
        .filter(([theirs = '']) => theirs !== '')
        .map(([theirs = '', ours = theirs]) => ({ theirs, ours }))
    : [{ theirs: '*', ours: '*' }];

function declaredNames(text: string): string[] {
  const plain = [...text.matchAll(DECLARED)].map((match) => match[1] ?? '');
  const taken = [...text.matchAll(DESTRUCTURED)].flatMap((match) =>
    (match[1] ?? '').split(',').map((each) => each.split(':').at(-1)?.trim() ?? ''),
  );
  return [...plain, ...taken].filter((each) => each !== '');
}

function imports({ path, text }: SourceText): Imported[] {
  const target = (link: string) => posix.join(posix.dirname(path), link);
  const clauses = [...text.matchAll(CLAUSE)].map(([, verb, clause = '', link = '']) => ({
    from: target(link),
    names: namesOf(clause).map(({ theirs }) => theirs),
    passedOn: verb === 'export' ? namesOf(clause).map(({ ours }) => ours) : [],
  }));
  const inline = [...text.matchAll(INLINE)].map(([, link = '', only]) => ({
    from: target(link),
    names: [only ?? '*'],
    passedOn: [],
  }));
  return [...clauses, ...inline];
}

const key = (path: string, name: string) => `${path} ${name}`;

/** A type that stands in the signature of another export may go out with it, imported or not. */
const isInSignature = (text: string, name: string) =>
  new RegExp(`^export (?:abstract )?(?:interface|type|class) ${name}\\b`, 'm').test(text) &&
  [...text.matchAll(new RegExp(`\\b${name}\\b`, 'g'))].length > 1;

function* exportsOf(file: SourceText): Generator<string> {
  for (const { passedOn } of imports(file)) yield* passedOn;
  for (const name of declaredNames(file.text)) if (!isInSignature(file.text, name)) yield name;
}

export const noUnusedExports: Rule = {
  title: 'what a file exports, another imports; what a door passes on, someone takes',
  check(files) {
    const code = files.filter(isTypeScript);
    const imported = code.flatMap(imports);
    const used = new Set(
      imported.flatMap(({ from, names }) => names.map((each) => key(from, each))),
    );
    return code
      .filter(isProduction)
      .filter(({ path }) => !used.has(key(path, '*')))
      .flatMap((file) =>
        [...exportsOf(file)]
          .filter((name) => name !== '*' && !used.has(key(file.path, name)))
          .map((name) => `${file.path}: nothing imports ${name}`),
      );
  },
};

export const oneTypeOneName: Rule = {
  title: 'an exported type name stands for one thing',
  check(files) {
    const places = new Map<string, string[]>();
    for (const { path, text } of files.filter(isProduction)) {
      for (const [, name = ''] of text.matchAll(EXPORTED_TYPE)) {
        places.set(name, [...(places.get(name) ?? []), path]);
      }
    }
    return [...places]
      .filter(([, paths]) => paths.length > 1)
      .map(([name, paths]) => `${name}: ${paths.join(', ')}`);
  },
};
