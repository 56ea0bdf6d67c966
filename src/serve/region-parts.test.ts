import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeParts, type PartFinding } from './region-parts.ts';

const names = ['state', 'keys', 'origin'];
/** `A`, `B`: a region's id; `-`: something without one; ` `: nothing. */
const partsOf = (text: string): PartFinding[] =>
  names.map((name, index) => {
    const mark = text[index] ?? ' ';
    const regionId = /[A-Z]/.test(mark) ? mark : undefined;
    return { name, idFile: `${name}/id`, regionId, isEmpty: mark === ' ' };
  });

test('only parts of one region go together, and only an empty directory becomes a new region', () => {
  const verdicts: Record<string, string> = {};
  const marks = ['A', 'B', '-', ' '];
  for (const a of marks)
    for (const b of marks)
      for (const c of marks) {
        const parts = `${a}${b}${c}`;
        verdicts[parts] = judgeParts(partsOf(parts)).kind;
      }
  const taken = (kind: string) => Object.keys(verdicts).filter((parts) => verdicts[parts] === kind);
  assert.deepEqual(taken('same'), ['AAA', 'BBB']);
  // What an older Sluice left has no ids, and always a state.
  assert.deepEqual(taken('unnamed'), ['---', '-- ', '- -', '-  ', '   ']);
});

test('an origin that holds added images alone needs no state, but its keys', () => {
  const judge = (text: string) => {
    const parts = partsOf(text).map((part) => ({ ...part, needsNoState: part.name === 'origin' }));
    return judgeParts(parts).kind;
  };
  assert.equal(judge(' --'), 'unnamed');
  for (const parts of ['  -', 'A -', ' A-', ' -A']) assert.equal(judge(parts), 'refused', parts);
});

test('a refusal names the part that is missing or different', () => {
  const why = (text: string) => {
    const verdict = judgeParts(partsOf(text));
    return verdict.kind === 'refused' ? verdict.why : '';
  };
  assert.match(why('AAB'), /^origin: belongs to region B, and state to region A/);
  assert.match(why('A A'), /^keys: is empty or not mounted/);
  assert.match(why('AA-'), /^origin: does not say which region it is of: origin\/id is not there/);
  assert.match(why('  -'), /^state: is empty, while origin is not/);
  for (const parts of ['AAB', 'A A', '  -']) assert.match(why(parts), /sluice region adopt/);
});
