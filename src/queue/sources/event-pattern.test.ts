import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../../test/support/property-runs.ts';
import { isSluiceError } from '../../base/mod.ts';
import { readEventPattern } from './event-pattern.ts';

const matches = (pattern: unknown, event: unknown) =>
  readEventPattern(JSON.stringify(pattern))(event);

test('each operator takes what it asks for and nothing else', () => {
  const table: [operators: unknown[], taken: unknown[], left: unknown[]][] = [
    [
      ['a', 'b'],
      ['a', 'b'],
      ['c', 'A', 1, null, undefined],
    ],
    [
      [1, null, true],
      [1, null, true],
      ['1', false, undefined],
    ],
    [[''], [''], [' ', null, undefined]],
    [[{ prefix: 'us-' }], ['us-', 'us-1'], ['eu-1', 1, undefined]],
    [[{ prefix: { 'equals-ignore-case': 'US-' } }], ['us-1', 'Us-'], ['u']],
    [[{ suffix: '.png' }], ['a.png'], ['a.PNG', 'png']],
    [[{ 'equals-ignore-case': 'Alice' }], ['alice', 'ALICE'], ['alic']],
    [[{ exists: true }], ['', 0, null, false], [undefined]],
    [[{ exists: false }], [undefined], ['', null]],
    [[{ numeric: ['>', 100] }], [100.5], [100, '101', undefined]],
    [[{ numeric: ['>=', 100, '<', 200] }], [100, 199], [99, 200]],
    [[{ numeric: ['=', 3e2] }], [300], [301]],
    [[{ 'anything-but': 'a' }], ['b', 1], ['a', undefined]],
    [[{ 'anything-but': ['a', 1] }], ['b', 2], ['a', 1, undefined]],
    [[{ 'anything-but': { prefix: 'x' } }], ['a'], ['xa', 1, undefined]],
    [
      ['a', { numeric: ['<', 0] }],
      ['a', -1],
      ['b', 1],
    ],
  ];
  for (const [operators, taken, left] of table) {
    for (const value of taken) {
      const what = `${JSON.stringify(operators)} takes ${JSON.stringify(value)}`;
      assert.equal(matches({ a: operators }, { a: value }), true, what);
    }
    for (const value of left) {
      const event = value === undefined ? {} : { a: value };
      const what = `${JSON.stringify(operators)} leaves ${JSON.stringify(value)}`;
      assert.equal(matches({ a: operators }, event), false, what);
    }
  }
});

test('all fields must match, any item of a list, any branch of $or', () => {
  const pattern = { body: { kind: ['order'], total: [{ numeric: ['>', 5] }] } };
  assert.equal(matches(pattern, { body: { kind: 'order', total: 6 } }), true);
  assert.equal(matches(pattern, { body: { kind: 'order', total: 5 } }), false);
  assert.equal(matches(pattern, { body: { kind: 'order' } }), false);
  assert.equal(matches(pattern, { body: 'order' }), false);
  assert.equal(matches({ tags: ['b'] }, { tags: ['a', 'b'] }), true);
  assert.equal(matches({ items: { id: [2] } }, { items: [{ id: 1 }, { id: 2 }] }), true);
  const either = { $or: [{ a: [1] }, { b: [2] }], c: [3] };
  assert.equal(matches(either, { b: 2, c: 3 }), true);
  assert.equal(matches(either, { a: 1 }), false);
  assert.equal(matches(either, { c: 3 }), false);
  assert.equal(matches({}, { any: 'thing' }), true);
});

test('an event cannot borrow from the prototype', () => {
  assert.equal(matches({ constructor: [{ exists: true }] }, {}), false);
  assert.equal(matches({ toString: [{ exists: true }] }, {}), false);
});

test('what is not a pattern is refused, and an unknown operator by its name', () => {
  const bad = [
    ...[null, 'text', [], 5, { a: 'b' }, { a: [] }, { a: {} }, { a: [[]] }, { a: [{}] }],
    ...[
      { a: [{ prefix: null }] },
      { a: [{ prefix: ['x'] }] },
      { a: [{ prefix: 1 }] },
      { a: [{ numeric: ['>'] }] },
      { a: [{ numeric: ['~', 1] }] },
    ],
    ...[{ a: [{ exists: 'yes' }] }, { a: [{ prefix: 'a', suffix: 'b' }] }, { $or: [{}] }],
    ...[{ a: [{ 'anything-but': [] }] }, { a: [{ 'anything-but': [{}] }] }],
    JSON.parse(`${'{"a":'.repeat(40)}["b"]${'}'.repeat(40)}`),
  ];
  for (const pattern of bad) {
    const read = () => readEventPattern(JSON.stringify(pattern));
    assert.throws(read, (error) => isSluiceError(error, 'EVENT_PATTERN_INVALID'));
  }
  assert.throws(
    () => readEventPattern('{"a":[{"wildcard":"*"}]}'),
    (error) => isSluiceError(error) && error.data['unsupported'] === 'wildcard',
  );
});

test('any text is a pattern or refused, and any pattern answers for any event', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), fc.jsonValue(), (text, event) => {
      try {
        assert.equal(typeof readEventPattern(text)(event), 'boolean');
      } catch (error) {
        assert.ok(isSluiceError(error, 'EVENT_PATTERN_INVALID'), String(error));
      }
    }),
    { numRuns: propertyRuns(100) },
  );
});
