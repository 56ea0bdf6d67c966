/**
 * Runs lint, types and the tests, with node's own runner and its spec reporter:
 *
 *   npm test                 everything
 *   npm test -- ext4 fuse    test files whose path has one of the words, and neither lint nor types
 *   npm run test:unit        the tests that take neither root nor a network
 *
 * A file runs in a process of its own, beside others unless it says in a line of its text
 * `// Runs alone: WHY`. What one test builds for others too is in a directory of this run, or, if
 * it outlives the run, in the cache: see `support/shared.ts`.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { run } from 'node:test';
import type { TestEvent } from 'node:test/reporters';
import { parseArgs } from 'node:util';
import { repositoryRoot } from './repo/repository.ts';
import { findTestFiles, type TestFile } from './runner/files.ts';
import { Report } from './runner/report.ts';
import { type Job, runJobs } from './runner/schedule.ts';
import { RUN_DIRECTORY } from './support/shared.ts';

const FILE_TIMEOUT_MS = 1_800_000;
const CHECKS = ['lint', 'types'];

const { values, positionals: words } = parseArgs({
  allowPositionals: true,
  options: {
    unit: { type: 'boolean', default: false },
    jobs: { type: 'string', default: String(Math.max(2, availableParallelism() + 1)) },
    /** Another tree than this repository: for the test of this program. */
    root: { type: 'string', default: repositoryRoot },
  },
});
const root = resolve(values.root);

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

function fileJob({ path, aloneBecause }: TestFile, report: Report): Job {
  const perform = async () => {
    const startedAtMs = performance.now();
    const stream = run({
      files: [join(root, path)],
      cwd: root,
      timeout: FILE_TIMEOUT_MS,
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    const events: TestEvent[] = [];
    for await (const event of stream) events.push(event as TestEvent);
    await report.addFile(path, events, performance.now() - startedAtMs);
  };
  return { alone: aloneBecause !== undefined, run: perform };
}

const files = findTestFiles(root, words).filter((file) => file.unit || !values.unit);
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
const everything = words.length === 0 && !values.unit;
// The long ones begin, and the short ones fill what is left of the last one's time.
const ordered = [...files.filter((file) => !file.unit), ...files.filter((file) => file.unit)];
await runJobs(
  [
    ...(everything ? CHECKS : []).map((name) => checkJob(name, report)),
    ...ordered.map((file) => fileJob(file, report)),
  ],
  Number(values.jobs),
);
const passed = await report.end(process.env['CI'] === 'true');
process.exitCode = passed ? 0 : 1;
