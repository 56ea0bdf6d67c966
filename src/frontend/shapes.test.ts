import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { ApiError } from './api-error.ts';
import { boolean, list, map, number, string, structure, validate } from './shapes.ts';

const shape = structure(
  { Name: string({ min: 1, max: 3 }) },
  {
    Count: number({ min: 1, max: 9 }),
    Mode: string({ values: ['A', 'B'] }),
    Flag: boolean(),
    Items: list(string({ max: 2 }), { max: 2 }),
    Inner: structure({ Weight: number({ max: 1, whole: false }) }, {}),
    Tags: map(string({ pattern: '[a-z]+' }), string()),
  },
);

function refusal(value: unknown): string {
  try {
    validate(shape, value);
  } catch (error) {
    if (error instanceof ApiError) return `${error.exception}: ${error.message}`;
    throw error;
  }
  return 'accepted';
}

const one = (text: string) => `ValidationException: 1 validation error detected: ${text}`;

test('valid values come back unchanged; unknown members are left out, null counts as absent', () => {
  const value = { Name: 'n', Count: 2, Mode: 'A', Flag: false, Items: ['a'], Tags: { a: '1' } };
  assert.deepEqual(validate(shape, { ...value, More: 1, Inner: null }), value);
});

test('breaches are reported in the words of the service', () => {
  const failed = 'failed to satisfy constraint: Member must';
  assert.equal(refusal({}), one(`Value null at 'name' ${failed} not be null`));
  assert.equal(
    refusal({ Name: 'long' }),
    one(`Value 'long' at 'name' ${failed} have length less than or equal to 3`),
  );
  assert.equal(
    refusal({ Name: 'n', Mode: 'C' }),
    one(`Value 'C' at 'mode' ${failed} satisfy enum value set: [A, B]`),
  );
  assert.equal(
    refusal({ Name: 'n', Inner: { Weight: 2 } }),
    one(`Value '2' at 'inner.weight' ${failed} have value less than or equal to 1.0`),
  );
  assert.equal(
    refusal({ Name: 'n', Items: ['abc'] }),
    one(
      `Value '[abc]' at 'items' ${failed} satisfy constraint: [Member must have length less than ` +
        'or equal to 2, Member must not be null]',
    ),
  );
  assert.match(
    refusal({ Name: '', Count: 0 }),
    /^ValidationException: 2 validation errors detected/,
  );
});

test('another JSON type is a serialization error', () => {
  const type = (value: unknown) => refusal({ Name: 'n', ...(value as object) });
  const words = 'can not be converted to';
  assert.equal(type({ Count: 'x' }), `SerializationException: STRING_VALUE ${words} Integer`);
  assert.equal(type({ Count: 1.5 }), `SerializationException: NUMBER_VALUE ${words} Integer`);
  assert.equal(type({ Items: {} }), `SerializationException: START_OBJECT ${words} List`);
  assert.equal(type({ Tags: [] }), `SerializationException: START_ARRAY ${words} Map`);
  assert.equal(type({ Flag: 1 }), `SerializationException: NUMBER_VALUE ${words} Boolean`);
  assert.equal(refusal('x'), `SerializationException: STRING_VALUE ${words} Structure`);
});

test('any JSON is taken or refused, and never leaks into a prototype', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      refusal(value);
      const named = { Name: 'n', Tags: JSON.parse('{"__proto__": "x"}') as unknown };
      refusal(named);
      assert.equal(({} as Record<string, unknown>)['x'], undefined);
    }),
    { numRuns: propertyRuns(100) },
  );
});
