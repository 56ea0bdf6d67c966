import { once } from 'node:events';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { spec, type TestEvent } from 'node:test/reporters';
import { isOptional, needsOf } from '../support/host.ts';
import { type FileTime, nameOf, splitAtMarks, withoutUnended } from './marks.ts';

/** Runs test files in one process. */
export const BATCH_PROGRAM = join(import.meta.dirname, 'batch.ts');

interface Counts {
  tests: number;
  suites: number;
  passed: number;
  failed: number;
  cancelled: number;
  skipped: number;
  todo: number;
}

const NONE: Counts = {
  ...{ tests: 0, suites: 0, passed: 0, failed: 0 },
  ...{ cancelled: 0, skipped: 0, todo: 0 },
};
const SLOWEST = 12;

const inSeconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
const tests = (count: number) => `${count} ${count === 1 ? 'test' : 'tests'}`;

/** “skipped, needs: awscli (3 tests), …”, and other reasons on lines of their own. */
export function skipLines(reasons: readonly string[]): string[] {
  const needs = new Map<string, number>();
  const others = new Map<string, number>();
  const add = (to: Map<string, number>, what: string) => to.set(what, (to.get(what) ?? 0) + 1);
  for (const reason of reasons) {
    const lacked = needsOf(reason);
    for (const need of lacked) add(needs, need);
    if (lacked.length === 0) add(others, reason);
  }
  const said = (of: Map<string, number>) =>
    [...of].sort().map(([what, n]) => `${what} (${tests(n)})`);
  return [
    ...(needs.size > 0 ? [`skipped, needs: ${said(needs).join(', ')}`] : []),
    ...said(others).map((each) => `skipped: ${each}`),
  ];
}

/** An event of a batch's process itself, under the name of the files that it is about. */
function renamed(event: TestEvent, name: string): TestEvent {
  if (nameOf(event) !== BATCH_PROGRAM) return event;
  return { ...event, data: { ...event.data, name, file: name } } as TestEvent;
}

/**
 * The events of all test files through one reporter of node's, so that its closing lines count
 * everything that ran. A file's events are shown together, when it has ended.
 */
export class Report {
  readonly #spec = new spec();
  readonly #out: NodeJS.WritableStream;
  readonly #counts: Counts = { ...NONE };
  readonly #skipReasons: string[] = [];
  readonly #times: FileTime[] = [];
  readonly #startedAtMs = performance.now();
  /** What each file and check took so far. */
  get times(): readonly FileTime[] {
    return this.#times;
  }

  #added: Promise<void> = Promise.resolve();
  #checks = 0;

  constructor(out: NodeJS.WritableStream) {
    this.#out = out;
    this.#spec.on('data', (text: string) => out.write(text));
  }

  /** What a process said that ran these files with `batch.ts`: all together, after what came before. */
  addBatch(paths: readonly string[], events: readonly TestEvent[]): Promise<void> {
    this.#added = this.#added.then(() => this.#addBatch(paths, events));
    return this.#added;
  }

  async #addBatch(paths: readonly string[], events: readonly TestEvent[]): Promise<void> {
    const { parts, rest, passedMarks } = splitAtMarks(events);
    for (const { time, events: own } of parts) {
      this.#times.push(time);
      const seconds = `${inSeconds(time.wallMs)}, processor ${inSeconds(time.cpuMs)}`;
      await this.#diagnose(`${time.path} (${seconds})`);
      for (const event of own) await this.#addEvent(event);
    }
    const ended = new Set(parts.map(({ time }) => time.path));
    const left = paths.filter((path) => !ended.has(path));
    const { events: last, unended } = withoutUnended(rest);
    let failed = false;
    for (const event of last) {
      if (event.type === 'test:summary' && event.data.file === undefined) {
        const { tests, passed, ...counts } = event.data.counts as unknown as Counts;
        this.#count({ ...counts, tests: tests - passedMarks, passed: passed - passedMarks });
      }
      failed ||= event.type === 'test:fail' && nameOf(event) === BATCH_PROGRAM;
      await this.#addEvent(renamed(event, (left.length > 0 ? left : paths).join(', ')));
    }
    if (failed) return;
    const during = unended.length > 0 ? `, during ${unended.join(', ')}` : '';
    for (const path of left) await this.#addCheck(path, `the process ended${during}`, 0);
  }

  async #addEvent(event: TestEvent): Promise<void> {
    if (event.type === 'test:summary') return;
    // The closing lines of a run, which are to come once.
    if (event.type === 'test:diagnostic' && event.data.file === undefined) return;
    if (event.type === 'test:pass' && event.data.skip !== undefined) {
      const { skip, name } = event.data;
      this.#skipReasons.push(typeof skip === 'string' ? skip : `without a reason: ${name}`);
    }
    await this.#write(event);
  }

  /** A check that is not a test: lint, types. */
  addCheck(name: string, failure: string | undefined, ms: number): Promise<void> {
    this.#added = this.#added.then(() => this.#addCheck(name, failure, ms));
    return this.#added;
  }

  async #addCheck(name: string, failure: string | undefined, ms: number): Promise<void> {
    this.#times.push({ path: name, wallMs: ms, cpuMs: 0 });
    const error = failure === undefined ? undefined : new Error(failure.trim());
    if (error) error.stack = error.message;
    const testNumber = ++this.#checks;
    const place = { name, nesting: 0, testNumber, file: name, line: 1, column: 1 };
    const details = {
      duration_ms: ms,
      ...(error && { error: Object.assign(error, { cause: error }) }),
    };
    const type = error ? 'test:fail' : 'test:pass';
    await this.#write({ type, data: { ...place, details } } as unknown as TestEvent);
    const failed = error ? 1 : 0;
    this.#count({ ...NONE, tests: 1, passed: 1 - failed, failed });
  }

  /** Ends with node's closing lines and a plain one; answers whether the run counts as passed. */
  async end(skipsFail: boolean): Promise<boolean> {
    const { tests, suites, passed, failed, cancelled, skipped, todo } = this.#counts;
    const slowest = this.#times.toSorted((a, b) => b.wallMs - a.wallMs).slice(0, SLOWEST);
    for (const { path, wallMs } of slowest) {
      await this.#diagnose(`slow: ${inSeconds(wallMs)} ${path}`);
    }
    const lines = { tests, suites, pass: passed, fail: failed, cancelled, skipped, todo };
    for (const [word, count] of Object.entries(lines)) await this.#diagnose(`${word} ${count}`);
    await this.#diagnose(`duration_ms ${(performance.now() - this.#startedAtMs).toFixed(0)}`);
    this.#spec.end();
    await finished(this.#spec);
    const skips = skipLines(this.#skipReasons);
    for (const line of skips) this.#out.write(`\n${line}\n`);
    const badSkips = skipsFail && !this.#skipReasons.every(isOptional);
    if (badSkips) this.#out.write('\nwith CI=true a skip is a failure\n');
    const bad = failed + cancelled;
    this.#out.write(`\n${passed} passed, ${bad} failed, ${skipped} skipped\n`);
    return bad === 0 && !badSkips;
  }

  #count(counts: Counts): void {
    for (const key of Object.keys(NONE) as (keyof Counts)[]) this.#counts[key] += counts[key];
  }

  #diagnose(message: string): Promise<void> {
    return this.#write({
      type: 'test:diagnostic',
      data: { nesting: 0, message, level: 'info' },
    } as TestEvent);
  }

  async #write(event: TestEvent): Promise<void> {
    if (!this.#spec.write(event)) await once(this.#spec, 'drain');
  }
}
