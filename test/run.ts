/**
 * Runs lint, types and the tests, with node's own runner and its spec reporter:
 *
 *   npm test                 everything
 *   npm test -- ext4 fuse    test files whose path has one of the words, and neither lint nor types
 *   npm run test:unit        the tests that take neither root nor a network
 *   npm run test:heavy       the tests that nothing else runs, unless by a word: `// Heavy: WHY`
 *
 *   npm test -- --measure    everything, and keeps what each file took, to plan the next runs by
 *
 * Unit tests share processes with their neighbours, unless a file says in a line of its text
 * `// Own process: WHY`; others have one each. Processes run side by side, unless a file says
 * `// Runs alone: WHY`. What one test builds for others too is in a directory of this run, or, if
 * it outlives the run, in the cache: see `support/shared.ts`. A run that leaves processes, or a
 * region's cgroups, mounts or loop devices, fails and names them.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { run } from 'node:test';
import type { TestEvent } from 'node:test/reporters';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { repositoryRoot } from './repo/repository.ts';
import { findTestFiles, type TestFile } from './runner/files.ts';
import { type Batch, type Measured, measuredOf, planBatches } from './runner/plan.ts';
import { BATCH_PROGRAM, Report } from './runner/report.ts';
import { type Job, runJobs } from './runner/schedule.ts';
import { leftOfRun } from './support/leftovers.ts';
import { RUN_DIRECTORY } from './support/shared.ts';

const BATCH_TIMEOUT_MS = 1_800_000;
const CHECKS = ['lint', 'types'];
const SECONDS_FILE = join(import.meta.dirname, 'runner/seconds.json');
const measured = JSON.parse(readFileSync(SECONDS_FILE, 'utf8')) as Measured;

const { values, positionals: words } = parseArgs({
  allowPositionals: true,
  options: {
    unit: { type: 'boolean', default: false },
    heavy: { type: 'boolean', default: false },
    jobs: { type: 'string', default: String(Math.max(2, availableParallelism() + 1)) },
    /** Keeps what each file took, by which the next runs are planned. */
    measure: { type: 'boolean', default: false },
    /** For how many seconds what the run started may yet end, before it fails for what is left. */
    settle: { type: 'string', default: '60' },
    /** Another tree than this repository: for the test of this program. */
    root: { type: 'string', default: repositoryRoot },
  },
});
const root = resolve(values.root);

const isHeavy = ({ heavyBecause }: TestFile) => heavyBecause !== undefined;

function checkJob(name: string, report: Report): Job {
  const perform = async () => {
    const startedAtMs = performance.now();
    const child = spawn('npm', ['run', '--silent', name], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = new Promise<number | null>((settle, fail) => {
      child.once('error', fail).once('close', settle);
    });
    const [said, alsoSaid, status] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      ended,
    ]);
    const failure = status === 0 ? undefined : `${said}${alsoSaid}` || `exit status ${status}`;
    await report.addCheck(name, failure, performance.now() - startedAtMs);
  };
  return { alone: false, run: perform };
}

function batchJob({ paths, alone }: Batch, report: Report): Job {
  const perform = async () => {
    const stream = run({
      files: [BATCH_PROGRAM],
      argv: [...paths],
      cwd: root,
      timeout: BATCH_TIMEOUT_MS,
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    const events: TestEvent[] = [];
    for await (const event of stream) events.push(event as TestEvent);
    await report.addBatch(paths, events);
  };
  return { alone, run: perform };
}

const found = findTestFiles(root, words).filter((file) => file.unit || !values.unit);
const isAskedFor = (file: TestFile) => words.length > 0 || values.heavy === isHeavy(file);
const files = found.filter(isAskedFor);
if (files.length === 0) {
  process.stderr.write(`no test file has ${words.join(' or ')} in its path\n`);
  process.exit(2);
}
const directory = mkdtempSync(join(tmpdir(), 'sluice-tests-'));
process.env[RUN_DIRECTORY] = directory;
// Every process strips and compiles the same sources: half of what a short command takes.
process.env['NODE_COMPILE_CACHE'] ??= join(directory, 'compiled');
process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const report = new Report(process.stdout);
const everything = words.length === 0 && !values.unit && !values.heavy;
const batches = planBatches(files, measured);
await runJobs(
  [
    ...(everything ? CHECKS : []).map((name) => checkJob(name, report)),
    ...batches.map((batch) => batchJob(batch, report)),
  ],
  Number(values.jobs),
);
// The kernel may be late in taking down what a process had that was killed.
const settledMs = performance.now() + Number(values.settle) * 1000;
while (leftOfRun(directory).length > 0 && performance.now() < settledMs) await sleep(500);
const left = leftOfRun(directory);
if (left.length > 0) await report.addCheck('nothing is left behind', left.join('\n'), 0);
if (values.measure) {
  const times = measuredOf(report.times.filter(({ path }) => !CHECKS.includes(path)));
  writeFileSync(SECONDS_FILE, `${JSON.stringify(times, null, 2)}\n`);
}
for (const { path, heavyBecause } of everything ? found.filter(isHeavy) : []) {
  process.stdout.write(`ℹ left out: ${path} (${heavyBecause}); npm run test:heavy runs it\n`);
}
const passed = await report.end(process.env['CI'] === 'true');
process.exitCode = passed ? 0 : 1;
