import type { SourceText } from './rule.ts';

/** What a rule must refuse, each alone, and what it must let pass. */
export interface Canaries {
  readonly refused: readonly (readonly SourceText[])[];
  readonly accepted: readonly (readonly SourceText[])[];
}

const source = (text: string, path = 'src/queue/poller.ts') => [{ path, text }];
const each = (lines: readonly string[], path?: string) => lines.map((line) => source(line, path));
const catalogue = (text: string) => ({ path: 'src/base/error-catalogue.ts', text });

/** By the title of the rule: a rule without canaries fails, and so do canaries without a rule. */
export const canaries: Record<string, Canaries> = {
  'time and chance come through constructors: only base touches the real ones': {
    refused: each([
      'const now = Date.now();',
      'const now = new Date();',
      'const now = new Date;',
      'const began = performance.now();',
      'const began = process.hrtime.bigint();',
      'const up = process.uptime();',
      'setTimeout(resolve, 5);',
      'const handle = setInterval(tick, 5);',
      'setImmediate(resolve);',
      "import { setTimeout as sleep } from 'node:timers/promises';",
      "import { scheduler } from 'timers/promises';",
      'fetch(url, { signal: AbortSignal.timeout(5) });',
      'const jitter = Math.random();',
      "import { randomBytes } from 'node:crypto';",
      'const id = crypto.randomUUID();',
      'crypto.getRandomValues(bytes);',
      'randomFillSync(bytes);',
    ]),
    accepted: [
      ...each([
        '// Date.now() is what the clock reads',
        ' * setTimeout of the host',
        'new Date(0)',
      ]),
      ...each(['const at = new Date(clock.nowMs());', 'socket.destroy(error);']),
      source('return Date.now();', 'src/base/clock.ts'),
      source('setTimeout(resolve, 5);', 'src/queue/poller.test.ts'),
      source('return Date.now();', 'bench/main.ts'),
    ],
  },
  'source files stay small enough to read': {
    refused: [source('line\n'.repeat(401))],
    accepted: [source('line\n'.repeat(399)), source('line\n'.repeat(900), 'src/queue/a.test.ts')],
  },
  'source that only tests use is called .fixture.ts, or .conformance.ts, and by no other suffix': {
    refused: [
      [
        { path: 'src/queue/fakes.ts', text: '' },
        { path: 'src/queue/poller.test.ts', text: "import { fake } from './fakes.ts';" },
      ],
      [
        { path: 'src/queue/child.ts', text: '' },
        {
          path: 'test/e2e/a.test.ts',
          text: "new URL('../../src/queue/child.ts', import.meta.url)",
        },
      ],
    ],
    accepted: [
      [
        { path: 'src/queue/fakes.fixture.ts', text: '' },
        { path: 'src/queue/poller.test.ts', text: "import { fake } from './fakes.fixture.ts';" },
      ],
      [
        { path: 'src/queue/poller.ts', text: '' },
        { path: 'src/queue/poller.test.ts', text: "import { poll } from './poller.ts';" },
        { path: 'src/queue/mod.ts', text: "export { poll } from './poller.ts';" },
      ],
      source(''),
    ],
  },
  'nothing is left over: no focused or unwritten test, no lint rule switched off for a file': {
    refused: each([
      "test.only('a', () => {});",
      "describe.only('a', () => {});",
      "it.todo('a');",
      'const a = 1; /* biome-ignore-all lint: all of it */',
    ]),
    accepted: each(["test('a', () => {});", 'const only = test;']),
  },
  'nothing is put off: no TODO, no FIXME': {
    refused: [
      ...each(['// TODO: later', 'a(); // FIXME', '/* XXX */']),
      source('// TODO', 'bench/main.ts'),
      source('// TODO', 'test/e2e/a.test.ts'),
    ],
    accepted: each(['const todo = 1;', "const mode = 'TODOS';"]),
  },
  'a log line holds an error under “error”': {
    refused: each([
      "logger.error({ err: error }, 'failed');",
      "logger.error({ path, err }, 'failed');",
      "logger.error({ err, path }, 'failed');",
    ]),
    accepted: each(["logger.error({ error }, 'failed');", 'child.stderr.on(a, b);']),
  },
  'nothing is decided by the text of an error': {
    refused: each([
      "if (error.message.includes('not found')) return;",
      "if (error.message === 'gone') return;",
      'if (/not found/.test(error.message)) return;',
      "if (cause.message.startsWith('x')) return;",
    ]),
    accepted: each(["if (error.code === 'CHUNK_MISSING') return;", 'return error.message;']),
  },
  'no property is cut short by a time: a busy machine would try less': {
    refused: [
      source(
        'fc.asyncProperty(a, b)\n{ interruptAfterTimeLimit: 5 }',
        'src/queue/poller.property.test.ts',
      ),
    ],
    accepted: each(['fc.asyncProperty(a, b)', 'fc.property(a)\n{ numRuns: 5 }']),
  },
  'an exported type name stands for one thing': {
    refused: [
      [...source('export interface A {', 'src/a/a.ts'), ...source('export type A =', 'src/b/a.ts')],
      [
        ...source('export class A {', 'src/a/a.ts'),
        ...source('export interface A {', 'src/a/b.ts'),
      ],
    ],
    accepted: [
      [...source('export interface A {', 'src/a/a.ts'), ...source('interface A {', 'src/b/a.ts')],
      [
        ...source('export interface A {', 'src/a/a.ts'),
        ...source("export type { A } from './a.ts';", 'src/a/mod.ts'),
        ...source('export interface A {', 'src/a/a.test.ts'),
      ],
    ],
  },
  'what a file exports, another imports; what a door passes on, someone takes': {
    refused: [
      ...each(['export const a = 1;', 'export function a() {}', 'export class A {}']),
      ...each(['export interface A {}', 'export const [a] = [1];', 'export async function a() {}']),
      [
        ...source('export const a = 1;', 'src/a/a.ts'),
        ...source("export { a } from './a.ts';", 'src/a/mod.ts'),
      ],
      [
        ...source('export const a = 1;', 'src/a/a.ts'),
        ...source("export { a as b } from './a.ts';", 'src/a/mod.ts'),
        ...source("import { a } from '../a/mod.ts';", 'src/b/b.ts'),
      ],
    ],
    accepted: [
      source('interface A {}\nconst a = 1;'),
      source('export interface Options {}\nfunction a(options: Options) {}'),
      [
        ...source('export const a = 1;', 'src/a/a.ts'),
        ...source("export { a as b } from './a.ts';", 'src/a/mod.ts'),
        ...source("import { type A, b } from '../a/mod.ts';", 'src/b/b.ts'),
      ],
      [
        ...source('export const a = 1;', 'src/a/a.ts'),
        ...source("const { a } = await import('./a.ts');", 'src/a/b.test.ts'),
      ],
    ],
  },
  'every relative link in a document leads to a file': {
    refused: [
      source('[a](b.md)', 'docs/a.md'),
      source('[a](../b.md#part)', 'docs/a.md'),
      [...source('[a](b.md)', 'docs/a.md'), ...source('', 'b.md')],
    ],
    accepted: [
      [...source('[a](b.md#part), [c](../src), [d](../src/)', 'docs/a.md')].concat([
        { path: 'docs/b.md', text: '' },
        { path: 'src/a.ts', text: '' },
      ]),
      source('[a](https://example.org/b.md) and [b](#part)', 'docs/a.md'),
    ],
  },
  'every error code is raised somewhere': {
    refused: [
      [catalogue('  GONE: ourFault(),\n')],
      [catalogue('  GONE: ourFault(),\n'), ...source("raise('GONE')", 'src/queue/a.test.ts')],
    ],
    accepted: [
      [catalogue('  GONE: ourFault(),\n'), ...source("new SluiceError('GONE', 'x: gone')")],
    ],
  },
  'docs/errors.md has what the code has, each once': {
    refused: [
      [catalogue('  GONE: ourFault(),\n')],
      source('| `GONE` | away |', 'docs/errors.md'),
      [catalogue('  GONE: x,\n'), ...source('| `GONE` | a |\n| `GONE` | b |', 'docs/errors.md')],
    ],
    accepted: [[catalogue('  GONE: x,\n'), ...source('| `GONE` | a |', 'docs/errors.md')]],
  },
  'docs/metrics.md has what the code has, each once': {
    refused: [
      source("meter.counter('sluice_a_total', 'A.')"),
      source('| `sluice_a_total` | counter |', 'docs/metrics.md'),
    ],
    accepted: [
      [
        ...source("meter.counter('sluice_a_total', 'A.'); const tag = 'sluice_account_id';"),
        ...source('| `sluice_a_total` | counter |', 'docs/metrics.md'),
      ],
    ],
  },
  'a decision has a number of its own, and its title has it too': {
    refused: [
      [
        ...source('# 0018 A', 'docs/decisions/0018-a.md'),
        ...source('# 0018 B', 'docs/decisions/0018-b.md'),
      ],
      source('# 0018: A', 'docs/decisions/0018-a.md'),
      source('# 0017 A', 'docs/decisions/0018-a.md'),
    ],
    accepted: [
      [
        ...source('# 0018 A', 'docs/decisions/0018-a.md'),
        ...source('# 0019 B', 'docs/decisions/0019-b.md'),
        ...source('# Decisions', 'docs/decisions/README.md'),
      ],
    ],
  },
  'README asks for the Node that package.json asks for': {
    refused: [
      [
        ...source('with Node 20 or later', 'README.md'),
        ...source('{ "node": ">=22.18" }', 'package.json'),
      ],
    ],
    accepted: [
      [
        ...source('with Node 22.18 or later', 'README.md'),
        ...source('{ "node": ">=22.18" }', 'package.json'),
      ],
    ],
  },
};
