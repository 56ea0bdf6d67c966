/**
 * Runs the test files of its words one after another in this process, as `test/run.ts` has it do
 * with unit tests: what they import is read and compiled once. Marks of `marks.ts` stand between
 * the tests of one file and those of the next.
 */
import './light-hooks.ts';
import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { endMark, WAIT_MARK } from './marks.ts';

// A module of Node's is loaded before any of ours is run, unless it is asked for here.
const { test } = await import('node:test');

/** The kernel's USER_HZ, 100 wherever Node runs. */
const TICKS_PER_SECOND = 100;
/** utime, stime, cutime and cstime among the fields behind the program's name. */
const TIMES = [11, 12, 13, 14];
/** How long a test goes on after a rejection nobody waits for, which it may wait for in vain. */
const STRAY_MS = 10_000;

/** The processor time of this process and of all that it started and saw end. */
function cpuMs(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return TIMES.reduce((sum, field) => sum + (Number(fields[field]) * 1000) / TICKS_PER_SECOND, 0);
}

let failures: unknown[] = [];

process.on('unhandledRejection', (error) => {
  failures.push(error);
  setTimeout(() => {
    if (!failures.includes(error)) return;
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  }, STRAY_MS).unref();
});

const environment = { ...process.env };
const directory = process.cwd();
// To the first file counts the start of the process too.
let spent = { wallMs: 0, cpuMs: 0 };

for (const path of process.argv.slice(2)) {
  await import(pathToFileURL(path).href).catch((error: unknown) => failures.push(error));
  // Tests run in the order in which they are made known.
  await test(WAIT_MARK, () => {});
  const now = { wallMs: performance.now(), cpuMs: cpuMs() };
  const took = { wallMs: now.wallMs - spent.wallMs, cpuMs: now.cpuMs - spent.cpuMs };
  spent = now;
  const [failed, failure] = [failures.length > 0, failures[0]];
  failures = [];
  await test(endMark({ path, ...took }), () => {
    if (failed) throw failure;
  });
  // What was told of this file is written before the next one can end the process.
  await setImmediate();
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
  Object.assign(process.env, environment);
  process.chdir(directory);
}
