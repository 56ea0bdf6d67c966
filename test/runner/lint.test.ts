import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../repo/repository.ts';
import { run } from '../support/run.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const oxlint = join(repositoryRoot, 'node_modules/.bin/oxlint');
const head = 'declare function save(name: string): Promise<void>;\n';
const cases: readonly [code: string, rule: string | undefined][] = [
  ["save('floats');", 'no-floating-promises'],
  ["await save('is waited for');", undefined],
  ["void save('is let go');", undefined],
  ["save('is caught').catch(() => {});", undefined],
  ["if (save('is always true')) throw new Error();", 'no-misused-promises'],
  ["['a'].forEach(async (name) => save(name));", 'no-misused-promises'],
];

test('lint refuses a promise that nobody waits for, and one that is taken for its value', async (t) => {
  const directory = temporaryDirectory(t, 'lint');
  const compilerOptions = { strict: true, module: 'nodenext', target: 'es2024', types: [] };
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  for (const [index, [code]] of cases.entries()) {
    writeFileSync(join(directory, `case-${index}.ts`), `${head}${code}\nexport {};\n`);
  }
  const words = [
    '--type-aware',
    '--format=json',
    '-c',
    join(repositoryRoot, '.oxlintrc.json'),
    '.',
  ];
  const { stdout } = await run(oxlint, words, { cwd: directory });
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { code: string; filename: string }[];
  };
  const found = cases.map((_, index) =>
    diagnostics
      .filter(({ filename }) => filename.endsWith(`case-${index}.ts`))
      .map(({ code }) => /no-[a-z-]+/.exec(code)?.[0]),
  );
  assert.deepEqual(
    found,
    cases.map(([, rule]) => (rule ? [rule] : [])),
  );
});
