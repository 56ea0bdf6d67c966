/**
 * `npm run bench` lists the benchmarks, `npm run bench -- NAME [flags]` runs one. Each prints a table
 * for people and writes its JSON to bench/results/COMMIT/NAME.json; `npm run bench -- compare A B`
 * puts what two commits have side by side. Numbers of a shared machine are noisy: what counts are
 * ratios to the reference that ran in the same run.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { join } from 'node:path';
import { formatTable } from '../src/cli/mod.ts';
import { type Benchmark, refusal, usageOf } from './support/benchmark.ts';
import { comparison, resultsOf } from './support/comparison.ts';

const USAGE = 2;
const directory = import.meta.dirname;
const results = join(directory, 'results');
const names = readdirSync(directory)
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && file !== 'main.ts')
  .map((file) => file.slice(0, -'.ts'.length))
  .filter((name) => !name.includes('-'));

const load = async (name: string) => (await import(join(directory, `${name}.ts`))) as Benchmark;

function refuse(why: string): void {
  process.stderr.write(`${why}\n`);
  process.exitCode = USAGE;
}

/** The commit whose code runs, and whether it was changed since. */
function commitNow(): string {
  const git = (...words: string[]) =>
    execFileSync('git', words, { cwd: directory, encoding: 'utf8' }).trim();
  const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
  return `${git('rev-parse', '--short=12', 'HEAD')}${changed ? '-changed' : ''}`;
}

async function list(): Promise<void> {
  for (const each of names) {
    const benchmark = await load(each);
    process.stdout.write(`${each.padEnd(12)} ${benchmark.title}\n`);
    process.stdout.write(`${''.padEnd(12)} ${usageOf(each, benchmark)}\n`);
  }
}

function compare(commits: readonly string[]): void {
  const [before, after, ...more] = commits;
  if (before === undefined || after === undefined || more.length > 0) {
    refuse('npm run bench -- compare COMMIT COMMIT');
    return;
  }
  try {
    const [old, now] = [resultsOf(results, before), resultsOf(results, after)];
    for (const [name, each] of now) {
      const was = old.get(name);
      if (!was) continue;
      const rows = comparison(was, each);
      process.stdout.write(`${formatTable([name, before, after, 'ratio'], rows)}\n`);
    }
  } catch (error) {
    refuse(error instanceof Error ? error.message : String(error));
  }
}

async function measure(name: string, flags: readonly string[]): Promise<void> {
  const benchmark = await load(name);
  const why = refusal(benchmark, flags);
  if (why !== undefined) {
    refuse(`${name}: ${why}\n${usageOf(name, benchmark)}`);
    return;
  }
  const when = { date: new Date().toISOString(), load: loadavg() };
  const result = await benchmark.run(flags);
  const machine = {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    kernel: release(),
    node: process.version,
  };
  const command = ['npm run bench --', name, ...flags].join(' ');
  const folder = join(results, commitNow());
  mkdirSync(folder, { recursive: true });
  const facts = { name, command, when, machine, result };
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(facts, null, 2)}\n`);
  const [minute = 0] = when.load;
  process.stdout.write(`\n${when.date}, load ${minute.toFixed(1)} at the start\n`);
  process.stdout.write(`written to ${join('bench/results', commitNow(), `${name}.json`)}\n`);
}

const [name, ...flags] = process.argv.slice(2);
if (name === undefined) await list();
else if (name === 'compare') compare(flags);
else if (names.includes(name)) await measure(name, flags);
else refuse(`no benchmark “${name}”; there are ${names.join(', ')}, and compare`);
