import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../repo/repository.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { equivalents, means } from './equivalent.ts';
import { type Mutant, mutantsOf } from './mutants.ts';
import { parseFiles } from './parse.ts';
import { runTestFile } from './test-process.ts';

const SOURCE = `import { a } from './a.ts';
// ’ “ 𝄞: characters of two and four bytes come before what is changed
interface Limits { readonly most: 5 }
export function f(this: Limits, x: number, y?: string): string | undefined {
  if (!y && x < 10) throw new RangeError('x' + y);
  logger.warn({ x: 1 }, 'said');
  this.logger.info({ x: true }, 'said');
  while (x > a.length) x += 2;
  const z = x === 3 ? 'yes' : 'no';
  if (x > y) { logger.info({ x: x + 1 }, 'said'); } else if (n > 0) unreachable(n + 1);
  if (x > 4) logger.info({ x }, 'said');
  whenTold(() => logger.debug({ x: 1 }, 'said'));
  if (z > y) throw new SluiceError('CODE', \`\${x + 1}\`, { data: { x: x + 1 } });
  const n = a[0] ?? 0;
  if (a.has(x)) a.drop(x);
  if (n) return undefined;
  return 'z' + y;
}
await f.call(0, false);
`;

const EXPECTED = [
  '5 condition: !y && x < 10 → !(!y && x < 10)',
  '5 condition: !y → y',
  '5 logic: && → ||',
  '5 boundary: < → <=',
  '5 constant: 10 → (10 + 1)',
  "5 statement: throw new RangeError('x' + y); → {}",
  '8 condition: x > a.length → false',
  '8 boundary: > → >=',
  '8 arithmetic: += → -=',
  '8 statement: x += 2; → {}',
  '8 constant: 2 → (2 + 1)',
  '9 equality: === → !==',
  '9 constant: 3 → (3 + 1)',
  '10 boundary: > → >=',
  '10 condition: x > y → !(x > y)',
  '10 boundary: > → >=',
  '10 condition: n > 0 → !(n > 0)',
  '10 constant: 0 → 1',
  "12 statement: whenTold(() => logger.debug({ x: 1 }, 'said')); → {}",
  '13 boundary: > → >=',
  `13 statement: throw new SluiceError('CODE', \`\${x + 1}\`, { data: { x: x + 1 } }); → {}`,
  '13 arithmetic: + → -',
  '13 constant: 1 → (1 + 1)',
  '13 condition: z > y → !(z > y)',
  '14 constant: 0 → 1',
  '14 logic: ?? → &&',
  '15 condition: a.has(x) → !(a.has(x))',
  '15 statement: a.drop(x); → {}',
  '16 condition: n → !(n)',
  "17 return: 'z' + y → undefined as never",
  '19 await: await f.call(0, false); → void (f.call(0, false));',
  '19 constant: 0 → 1',
  '19 constant: false → true',
  '19 statement: await f.call(0, false); → {}',
];

test('a file’s mutants are what a slip of the hand makes, and nothing of types, texts and logs', (t) => {
  const path = join(temporaryDirectory(t, 'mutants'), 'f.ts');
  writeFileSync(path, SOURCE);
  const found: string[] = [];
  parseFiles([path], (_, file) => {
    for (const mutant of mutantsOf('f.ts', file)) {
      const { start, end, line, operator, original, replacement } = mutant;
      assert.equal(SOURCE.slice(start, end), original);
      found.push(`${line} ${operator}: ${original} → ${replacement}`);
    }
  });
  const sorted = (lines: readonly string[]) => [...lines].sort();
  assert.deepEqual(sorted(found), sorted(EXPECTED));
});

test('each change that is said to be equivalent is one that would be tried', () => {
  const paths = new Set(equivalents.map(({ path }) => join(repositoryRoot, 'src', path)));
  const mutants: Mutant[] = [];
  parseFiles([...paths], (path, file) =>
    mutants.push(...mutantsOf(relative(repositoryRoot, path), file)),
  );
  const stale = equivalents.filter((each) => !mutants.some((mutant) => means(each, mutant)));
  assert.deepEqual(stale, []);
  assert.ok(equivalents.every(({ why }) => why.length > 20));
});

test('a mutant keeps its id when lines around its own come and go', (t) => {
  const directory = temporaryDirectory(t, 'mutants');
  const idsOf = (name: string, source: string) => {
    const path = join(directory, name);
    writeFileSync(path, source);
    const ids: string[] = [];
    parseFiles([path], (_, file) => ids.push(...mutantsOf('f.ts', file).map(({ id }) => id)));
    return ids;
  };
  const line = 'export const isFew = (x: number) => x < 10 || x < 10;\n';
  const ids = idsOf('a.ts', line);
  assert.equal(new Set(ids).size, 5);
  assert.deepEqual(idsOf('b.ts', `export const most = 'few';\n\n${line}`), ids);
});

const endings = {
  passed: 'test("a", () => {});',
  failed:
    'test("a", () => {}); test("b", () => { throw new Error("no"); }); setInterval(() => {}, 1e6);',
  late: 'test("a", () => new Promise((resolve) => setTimeout(resolve, 1e6)));',
};
for (const [ending, body] of Object.entries(endings)) {
  test(`a test file’s run is told as “${ending}”, and nothing of it goes on`, async (t) => {
    const directory = temporaryDirectory(t, 'mutants');
    const file = join(directory, 'a.mjs');
    writeFileSync(file, `import { test } from 'node:test'; ${body}`);
    const timeoutMs = ending === 'late' ? 1000 : 60_000;
    assert.equal(await runTestFile(file, { cwd: directory, timeoutMs, cpuSeconds: 60 }), ending);
  });
}
