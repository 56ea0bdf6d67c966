import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { functionArn } from '../catalogue/mod.ts';
import { ApiError } from '../frontend/api-error.ts';
import { parseFunctionReference } from './function-name.ts';

const caller = { accountId: '000000000000', region: 'us-east-1' };
/** Not “function” and not an account's number, which before a colon read as what they are. */
const name = fc
  .stringMatching(/^[a-zA-Z_-][a-zA-Z0-9_-]{0,63}$/)
  .filter((each) => each !== 'function');
const account = fc.stringMatching(/^\d{12}$/);
const qualifier = fc.option(fc.stringMatching(/^(\$LATEST|[a-zA-Z0-9_-]{1,20})$/), {
  nil: undefined,
});
const suffix = (given: string | undefined) => (given === undefined ? '' : `:${given}`);

test('every form of a name leads to the same parts', () => {
  fc.assert(
    fc.property(name, account, qualifier, (given, accountId, wanted) => {
      const own = { accountId: caller.accountId, name: given, qualifier: wanted };
      const other = { ...own, accountId };
      const parse = (text: string) => parseFunctionReference(text, undefined, caller);
      assert.deepEqual(parse(`${given}${suffix(wanted)}`), own);
      assert.deepEqual(parse(`function:${given}${suffix(wanted)}`), own);
      assert.deepEqual(parse(`${accountId}:function:${given}${suffix(wanted)}`), other);
      assert.deepEqual(parse(functionArn(caller.region, other, wanted)), other);
      assert.deepEqual(parseFunctionReference(given, wanted, caller), own);
    }),
    { numRuns: propertyRuns(100) },
  );
});

test('anything else is refused as the caller’s mistake', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), fc.string({ maxLength: 40 }), (text, asked) => {
      try {
        const reference = parseFunctionReference(text, asked, caller);
        assert.match(reference.name, /^[a-zA-Z0-9-_]{1,64}$/);
        assert.match(reference.accountId, /^\d{12}$/);
      } catch (error) {
        assert.ok(error instanceof ApiError, String(error));
        assert.ok(error.status < 500);
      }
    }),
    { numRuns: propertyRuns(100) },
  );
});

test('a name of hostile length is judged at once', () => {
  for (const text of ['a'.repeat(20_000), 'arn:aws:lambda:'.repeat(2000), '-'.repeat(20_000)]) {
    assert.throws(() => parseFunctionReference(text, undefined, caller), ApiError);
  }
});

test('an empty qualifier is none, as some clients send it', () => {
  assert.equal(parseFunctionReference('f', '', caller).qualifier, undefined);
});
