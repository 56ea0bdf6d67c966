import assert from 'node:assert/strict';
import { test } from 'node:test';
import { repositoryTexts } from './repository.ts';
import { isProduction } from './rule.ts';
import { type LayerMap, layerRule } from './rules/layers.ts';

const map: LayerMap = {
  rows: [
    ['base'],
    ['oci', 'zip', 'ext4', 'erasure', 'seal', 'fuse', 'nbd'],
    ['config', 'telemetry', 'database', 'outbound'],
    ['origin', 'cache', 'image', 'device', 'gc'],
    ['records', 'queue', 'accounts'],
    ['assignment', 'placement'],
    ['runtime', 'isolation'],
    ['worker', 'keys'],
    ['agent', 'catalogue', 'install'],
    ['dispatch'],
    ['delivery'],
    ['frontend', 'serve', 'cli'],
  ],
  /** In the last row `serve` composes the face, and the command line composes on top of it. */
  exceptions: { serve: ['frontend'], cli: ['frontend', 'serve'] },
};

test('a folder imports only folders of rows above it, through their mod.ts', () => {
  const files = repositoryTexts();
  assert.ok(files.filter(isProduction).length > 300, 'the test sees the source');
  assert.deepEqual(layerRule(map).check(files), []);
});

const small: LayerMap = { rows: [['base'], ['cache', 'origin'], ['cli']], exceptions: {} };
const others = small.rows.flat().map((folder) => ({ path: `src/${folder}/mod.ts`, text: '' }));
const from = (link: string) => `import { a } from '${link}';`;
const check = (path: string, text: string, map = small) =>
  layerRule(map).check([{ path, text }, ...others]);

const refused: readonly [what: string, path: string, text: string][] = [
  ['a row below', 'src/base/a.ts', from('../cli/mod.ts')],
  ['a row below, two folders down', 'src/base/b/a.ts', from('../../cli/mod.ts')],
  ['a sibling', 'src/cache/a.ts', from('../origin/mod.ts')],
  ['a type of a sibling', 'src/cache/a.ts', "import type { A } from '../origin/mod.ts';"],
  ['what a sibling passes on', 'src/cache/mod.ts', "export { a } from '../origin/mod.ts';"],
  ['another file than the door', 'src/cli/a.ts', from('../base/clock.ts')],
  ['an import in the middle', 'src/base/a.ts', "const a = await import('../cli/mod.ts');"],
  ['an inline type', 'src/base/a.ts', "let a: import('../cli/mod.ts').A;"],
  ['tests', 'src/cli/a.ts', from('../../test/support/run.ts')],
  ['a folder without a row', 'src/cli/a.ts', from('../attic/mod.ts')],
  ['a file in a folder without a row', 'src/attic/a.ts', ''],
];
for (const [what, path, text] of refused) {
  test(`the layer rule refuses ${what}`, () => assert.equal(check(path, text).length, 1));
}

test('the layer rule refuses a row for a folder that is gone', () => {
  assert.equal(check('src/cli/a.ts', '', { ...small, rows: [...small.rows, ['sim']] }).length, 1);
});

test('the layer rule accepts rows above, the own folder, exceptions and what tests import', () => {
  assert.deepEqual(check('src/cli/a.ts', `${from('../cache/mod.ts')}\n${from('./b/c.ts')}`), []);
  assert.deepEqual(check('src/cache/l1/a.ts', from('../l2/b.ts')), []);
  const exceptions = { cache: ['origin'] };
  assert.deepEqual(check('src/cache/a.ts', from('../origin/mod.ts'), { ...small, exceptions }), []);
  assert.deepEqual(check('src/base/a.test.ts', from('../../test/support/run.ts')), []);
});
