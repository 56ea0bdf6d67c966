import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { ClientCase, Observation } from './case.ts';

type Observations = Readonly<Record<string, Observation>>;

/** What was seen once, kept in a file; written anew where `SLUICE_RECORD` names its kind. */
export class Recorded {
  readonly #path: string;
  readonly #isRewritten: boolean;

  constructor(path: string, kind: string) {
    this.#path = path;
    this.#isRewritten = process.env['SLUICE_RECORD'] === kind;
  }

  get observations(): Observations {
    if (!existsSync(this.#path)) return {};
    return JSON.parse(readFileSync(this.#path, 'utf8')) as Observations;
  }

  /** Keeps them if they are to be kept. */
  update(observations: Observations): void {
    if (!this.#isRewritten) return;
    writeFileSync(this.#path, `${JSON.stringify(observations, null, 1)}\n`);
  }
}

/** Which parts of two observations are not the same. */
export function differing(one: Observation, other: Observation): string[] {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]) as Set<keyof Observation>;
  return [...names].filter((name) => {
    return JSON.stringify(one[name]) !== JSON.stringify(other[name]);
  });
}

/** Those that are not as recorded. */
export function unlike(seen: Observations, recorded: Observations): Observations {
  return Object.fromEntries(
    Object.entries(seen).filter(([name, each]) => {
      const before = recorded[name];
      return before === undefined || differing(each, before).length > 0;
    }),
  );
}

/**
 * Ours differs from Lambda's where the table says so, in what it says, and nowhere else. `ours` has
 * only the cases that differ.
 */
export function assertMeant(
  client: string,
  cases: readonly ClientCase[],
  lambdas: Observations,
  ours: Observations,
): void {
  for (const { name, differs, clients } of cases) {
    if (!(clients?.includes(client) ?? true)) continue;
    const theirs = lambdas[name];
    assert.ok(theirs, `${name}: nothing is recorded of it`);
    const mine = ours[name];
    const isMeant = differs !== undefined && (differs.clients?.includes(client) ?? true);
    const parts: readonly string[] = isMeant ? differs.parts : [];
    const other = mine ? differing(mine, theirs) : [];
    const unmeant = other.filter((part) => !parts.includes(part));
    assert.deepEqual(unmeant, [], `${client}: ${name}: ${JSON.stringify([mine, theirs], null, 1)}`);
  }
}

/** Whatever the table says to differ does, for one client at least. */
export function assertDifferent(cases: readonly ClientCase[], ours: readonly Observations[]): void {
  const stale = cases.filter(
    ({ name, differs }) => differs && !ours.some((observations) => observations[name]),
  );
  assert.deepEqual(
    stale.map(({ name }) => name),
    [],
  );
}
