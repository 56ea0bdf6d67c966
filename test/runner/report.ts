import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import { spec, type TestEvent } from 'node:test/reporters';
import { isOptional, needsOf } from '../support/host.ts';

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

/**
 * The events of all test files through one reporter of node's, so that its closing lines count
 * everything that ran. A file's events are shown together, when it has ended.
 */
export class Report {
  readonly #spec = new spec();
  readonly #out: NodeJS.WritableStream;
  readonly #counts: Counts = { ...NONE };
  readonly #skipReasons: string[] = [];
  readonly #times: { name: string; ms: number }[] = [];
  readonly #startedAtMs = performance.now();
  #checks = 0;

  constructor(out: NodeJS.WritableStream) {
    this.#out = out;
    this.#spec.on('data', (text: string) => out.write(text));
  }

  async addFile(name: string, events: readonly TestEvent[], ms: number): Promise<void> {
    this.#times.push({ name, ms });
    await this.#diagnose(`${name} (${inSeconds(ms)})`);
    for (const event of events) {
      if (event.type === 'test:summary') {
        // One for each file, and one for the run, which is of one file here.
        if (event.data.file === undefined) this.#count(event.data.counts as unknown as Counts);
        continue;
      }
      // The run's own closing lines, which are to come once.
      if (event.type === 'test:diagnostic' && event.data.file === undefined) continue;
      if (event.type === 'test:pass' && event.data.skip !== undefined) {
        const { skip, name } = event.data;
        this.#skipReasons.push(typeof skip === 'string' ? skip : `without a reason: ${name}`);
      }
      await this.#write(event);
    }
  }

  /** A check that is not a test: lint, types. */
  async addCheck(name: string, failure: string | undefined, ms: number): Promise<void> {
    this.#times.push({ name, ms });
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
    const slowest = this.#times.toSorted((a, b) => b.ms - a.ms).slice(0, SLOWEST);
    for (const { name, ms } of slowest) await this.#diagnose(`slow: ${inSeconds(ms)} ${name}`);
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
