import type { TestEvent } from 'node:test/reporters';

/** What a test file took: the processor time is that of all its processes that it saw end. */
export interface FileTime {
  readonly path: string;
  readonly wallMs: number;
  readonly cpuMs: number;
}

const BEGIN = '\u0000mark ';

/** The name of a test that comes up when those before it are through. */
export const WAIT_MARK = BEGIN;

/** The name of the test that closes a file. */
export const endMark = (time: FileTime): string => `${BEGIN}${JSON.stringify(time)}`;

/** The name of the test that an event is about; of others none. */
export const nameOf = ({ data }: TestEvent): string =>
  data !== undefined && 'name' in data ? data.name : '';

export interface FilePart {
  readonly time: FileTime;
  readonly events: readonly TestEvent[];
}

/**
 * The events of a batch, told apart by file: those of files that ended, and what came after the last
 * mark. Marks are left out, but for one that failed, which is a file that could not be imported: it
 * has the file's name then.
 */
export function splitAtMarks(events: readonly TestEvent[]): {
  readonly parts: readonly FilePart[];
  readonly rest: readonly TestEvent[];
  /** How many marks there were among the tests that passed. */
  readonly passedMarks: number;
} {
  const parts: FilePart[] = [];
  let rest: TestEvent[] = [];
  let passedMarks = 0;
  for (const event of events) {
    const name = nameOf(event);
    if (!name.startsWith(BEGIN)) {
      rest.push(event);
      continue;
    }
    if (event.type === 'test:pass') passedMarks++;
    if (name === WAIT_MARK || (event.type !== 'test:pass' && event.type !== 'test:fail')) continue;
    const time = JSON.parse(name.slice(BEGIN.length)) as FileTime;
    if (event.type === 'test:fail') {
      const data = { ...event.data, name: time.path, file: time.path };
      rest.push({ type: event.type, data } as TestEvent);
    }
    parts.push({ time, events: rest });
    rest = [];
  }
  return { parts, rest, passedMarks };
}

/**
 * The events without the starts of tests that never ended, as when the process did, and the names
 * of those tests: node's reporter wants an end for each start.
 */
export function withoutUnended(events: readonly TestEvent[]): {
  readonly events: readonly TestEvent[];
  readonly unended: readonly string[];
} {
  const begun: TestEvent[] = [];
  const ended = new Set<TestEvent>();
  for (const event of events) {
    if (event.type === 'test:start') begun.push(event);
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue;
    const { name, nesting } = event.data;
    const start = begun.findLast(
      (each) =>
        each.type === 'test:start' && each.data.name === name && each.data.nesting === nesting,
    );
    if (start) ended.add(start);
  }
  const unended = begun.filter((event) => !ended.has(event));
  return {
    events: events.filter((event) => !unended.includes(event)),
    unended: unended.map(nameOf),
  };
}
