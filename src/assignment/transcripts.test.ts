import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AssignmentEffect, AssignmentEvent } from './events.ts';
import { type AssignmentLimits, createState } from './state.ts';
import { step } from './step.ts';

const directory = join(import.meta.dirname, 'testdata');

/** A line of a transcript, after the first, which has the limits. */
interface Line {
  readonly event: AssignmentEvent;
  readonly effects: readonly AssignmentEffect[];
}

function read(path: string): { limits: AssignmentLimits; lines: Line[] } {
  const [head = '', ...rest] = readFileSync(path, 'utf8').trimEnd().split('\n');
  const { limits } = JSON.parse(head) as { limits: AssignmentLimits };
  return { limits, lines: rest.map((line) => JSON.parse(line) as Line) };
}

/** What the machine does now, as it would be written. */
function replay(limits: AssignmentLimits, events: readonly AssignmentEvent[]): Line[] {
  const state = createState(limits);
  const lines = events.map((event) => ({ event, effects: step(state, event).effects }));
  return JSON.parse(JSON.stringify(lines)) as Line[];
}

// A change of what is decided shows in these files: `SLUICE_REWRITE=1` writes what is decided now,
// for the change to be read as a difference.
for (const file of readdirSync(directory).filter((name) => name.endsWith('.jsonl'))) {
  test(`transcript: ${file.replace('.jsonl', '').replaceAll('-', ' ')}`, () => {
    const path = join(directory, file);
    const { limits, lines } = read(path);
    assert.ok(lines.length > 0);
    const replayed = replay(
      limits,
      lines.map(({ event }) => event),
    );
    if (process.env['SLUICE_REWRITE']) {
      const text = [{ limits }, ...replayed].map((line) => `${JSON.stringify(line)}\n`).join('');
      writeFileSync(path, text);
    }
    assert.deepEqual(replayed, read(path).lines);
  });
}
