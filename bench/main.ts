/**
 * `npm run bench` lists the benchmarks, `npm run bench -- NAME [flags]` runs one. Each prints a table
 * for people and writes its JSON to bench/results/NAME.json. Numbers of a shared machine are noisy:
 * what counts are ratios to the reference that ran in the same run.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';

export interface Benchmark {
  readonly title: string;
  /** Runs and answers what goes into the JSON file; prints its own table. */
  run(flags: readonly string[]): Promise<unknown>;
}

const directory = import.meta.dirname;
const names = readdirSync(directory)
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && file !== 'main.ts')
  .map((file) => file.slice(0, -'.ts'.length))
  .filter((name) => !name.includes('-'));

const load = async (name: string) => (await import(join(directory, `${name}.ts`))) as Benchmark;

const [name, ...flags] = process.argv.slice(2);
if (name === undefined) {
  for (const each of names)
    process.stdout.write(`${each.padEnd(12)} ${(await load(each)).title}\n`);
} else if (!names.includes(name)) {
  process.stderr.write(`no benchmark “${name}”; there are ${names.join(', ')}\n`);
  process.exitCode = 2;
} else {
  const result = await (await load(name)).run(flags);
  const machine = {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    kernel: release(),
    node: process.version,
  };
  const results = join(directory, 'results');
  mkdirSync(results, { recursive: true });
  const file = join(results, `${name}.json`);
  writeFileSync(file, `${JSON.stringify({ name, machine, result }, null, 2)}\n`);
  process.stdout.write(`\nwritten to bench/results/${name}.json\n`);
}
