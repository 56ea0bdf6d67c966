import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { errorCatalogue } from '../../src/base/mod.ts';
import { isTestCode, repositoryRoot, sourceFiles, trackedFiles } from './repository.ts';

const read = (file: string) => readFileSync(resolve(repositoryRoot, file), 'utf8');
const production = () => sourceFiles('src').filter((file) => !isTestCode(file));
const name = (file: string) => relative(repositoryRoot, file);

test('time and chance come through constructors: only base touches the real ones', () => {
  const banned =
    /\b(Date\.now|Math\.random|setTimeout|setInterval|performance\.now|randomBytes|randomUUID)\b/;
  const found = production()
    .filter((file) => !name(file).startsWith('src/base/'))
    .flatMap((file) =>
      read(file)
        .split('\n')
        .flatMap((line, index) =>
          banned.test(line) && !/^\s*(\*|\/\/|\/\*)/.test(line)
            ? [`${name(file)}:${index + 1}: ${line.trim()}`]
            : [],
        ),
    );
  assert.deepEqual(found, []);
});

test('source files stay small enough to read', () => {
  const long = production()
    .map((file) => ({ file: name(file), lines: read(file).split('\n').length }))
    .filter(({ lines }) => lines > 400);
  assert.deepEqual(long, []);
});

test('nothing is left over: no TODO, no FIXME, no disabled or focused test', () => {
  const leftover = /\b(TODO|FIXME|XXX)\b|\b(test|it|describe)\.(only|todo)\b|biome-ignore-all/;
  const self = 'test/repo/tidy.test.ts';
  const found = [...sourceFiles('src'), ...sourceFiles('test'), ...sourceFiles('bench')]
    .filter((file) => name(file) !== self && leftover.test(read(file)))
    .map(name);
  assert.deepEqual(found, []);
});

test('no asynchronous property is cut short: its run would go on behind the test', () => {
  const self = 'test/repo/tidy.test.ts';
  const found = [...sourceFiles('src'), ...sourceFiles('test')]
    .filter((file) => name(file) !== self)
    .filter(
      (file) => /asyncProperty/.test(read(file)) && /interruptAfterTimeLimit/.test(read(file)),
    )
    .map(name);
  assert.deepEqual(found, []);
});

test('every relative link in a document leads to a file', () => {
  const found = trackedFiles()
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) =>
      [...read(file).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map((match) => match[1] ?? '')
        .filter((link) => !/^[a-z]+:/.test(link))
        .filter((link) => {
          try {
            return read(join(dirname(file), link)) === undefined;
          } catch (error) {
            return (error as NodeJS.ErrnoException).code !== 'EISDIR';
          }
        })
        .map((link) => `${file}: ${link}`),
    );
  assert.deepEqual(found, []);
});

test('every error code is raised somewhere', () => {
  const text = production()
    .filter((file) => !file.endsWith('error-catalogue.ts'))
    .map(read)
    .join('\n');
  const unused = Object.keys(errorCatalogue).filter((code) => !text.includes(`'${code}'`));
  assert.deepEqual(unused, []);
});
