/**
 * Changes a folder's code in small ways, one at a time, and runs the tests nearby: a change that
 * fails none of them is one that they do not see.
 *
 *   npm run mutate -- queue                    every mutant of src/queue
 *   npm run mutate -- queue --sample 100       a hundred of them; for a seed the same ones, also
 *                                              when code around them has changed
 *   npm run mutate -- queue --only poller      those of files whose path has the word
 *   npm run mutate -- queue --again FILE       those whose ids stand in FILE, a saved report
 *
 * Exit status: 0 when at least `--least` per cent were killed, 1 when fewer were, 2 for wrong usage
 * or when the tests fail as things are.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { isTestCode, repositoryRoot, sourceFiles } from '../repo/repository.ts';
import { Campaign, type Fate } from './campaign.ts';
import { isEquivalent } from './equivalent.ts';
import { judgesOf, tooSlow } from './folders.ts';
import { type Mutant, mutantsOf } from './mutants.ts';
import { parseFiles } from './parse.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sample: { type: 'string' },
    seed: { type: 'string', default: '1' },
    again: { type: 'string' },
    only: { type: 'string', default: '' },
    minutes: { type: 'string', default: '60' },
    least: { type: 'string', default: '85' },
  },
});

interface Tried {
  readonly mutant: Mutant;
  readonly fate: Fate;
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

function findMutants(folder: string): Mutant[] {
  const paths = sourceFiles(`src/${folder}`).filter(
    (path) => !isTestCode(path) && relative(repositoryRoot, path).includes(values.only),
  );
  if (paths.length === 0) fail(`src/${folder}: no source file`);
  const mutants: Mutant[] = [];
  parseFiles(paths, (path, file) =>
    mutants.push(...mutantsOf(relative(repositoryRoot, path), file)),
  );
  return mutants.filter((mutant) => !isEquivalent(mutant));
}

/** Those of an earlier report, or so many, spread by chance. */
function chosenOf(mutants: readonly Mutant[]): Mutant[] {
  if (values.again !== undefined) {
    const ids = new Set(readFileSync(values.again, 'utf8').match(/\b[0-9a-f]{10}\b/g));
    return mutants.filter(({ id }) => ids.has(id));
  }
  const rank = ({ id }: Mutant) =>
    createHash('sha256').update(`${values.seed} ${id}`).digest('hex');
  const ranked = mutants.map((mutant) => ({ mutant, at: rank(mutant) }));
  ranked.sort((a, b) => (a.at < b.at ? -1 : 1));
  return ranked.slice(0, Number(values.sample ?? mutants.length)).map(({ mutant }) => mutant);
}

function describe({ id, path, line, operator, original, replacement }: Mutant): string {
  const short = (code: string) => {
    const flat = code.replace(/\s+/g, ' ');
    return flat.length > 70 ? `${flat.slice(0, 67)}…` : flat;
  };
  return `${id} ${path}:${line} ${operator}: ${short(original)} → ${short(replacement)}`;
}

function report(folder: string, tried: readonly Tried[], all: number): number {
  const count = (fate: Fate) => tried.filter((each) => each.fate === fate).length;
  for (const fate of ['survived', 'not reached'] as const) {
    const those = tried.filter((each) => each.fate === fate).map(({ mutant }) => mutant);
    those.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : a.start - b.start));
    if (those.length > 0) process.stdout.write(`\n${fate}:\n`);
    for (const mutant of those) process.stdout.write(`  ${describe(mutant)}\n`);
  }
  const killed = count('killed') + count('late');
  const share = tried.length === 0 ? 100 : (100 * killed) / tried.length;
  process.stdout.write(
    `\n${folder}: ${share.toFixed(1)} % killed: ${killed} of ${tried.length} tried ` +
      `(${count('late')} by the time limit), ${count('survived')} survived, ` +
      `${count('not reached')} not reached; ${all} in all, seed ${values.seed}\n`,
  );
  return share;
}

async function main(folder: string): Promise<void> {
  const endMs = performance.now() + Number(values.minutes) * 60_000;
  const mutants = findMutants(folder);
  const chosen = chosenOf(mutants);
  const tests = judgesOf(folder)
    .flatMap((place) => (place.endsWith('.ts') ? [place] : sourceFiles(place)))
    .map((path) => (path.startsWith('/') ? relative(repositoryRoot, path) : path))
    .filter((path) => path.endsWith('.test.ts') && !tooSlow.has(path));
  const campaign = new Campaign();
  process.on('exit', () => campaign.close());
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(2));
  for (const test of tests) {
    if (!(await campaign.addJudge(test))) fail(`${test}: fails as things are`);
  }
  process.stdout.write(`${folder}: ${chosen.length} mutants, ${tests.length} test files\n`);
  const tried: Tried[] = [];
  for (const mutant of chosen) {
    if (performance.now() > endMs) break;
    const fate = await campaign.judge(mutant);
    tried.push({ mutant, fate });
    process.stderr.write(`${tried.length} ${fate}: ${describe(mutant)}\n`);
  }
  process.exitCode = report(folder, tried, mutants.length) >= Number(values.least) ? 0 : 1;
}

const [folder, ...more] = positionals;
if (folder === undefined || more.length > 0) fail('npm run mutate -- FOLDER, a folder under src');
await main(folder);
