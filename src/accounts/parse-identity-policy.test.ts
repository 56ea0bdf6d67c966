import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError } from '../base/mod.ts';
import { parseIdentityPolicy } from './parse-identity-policy.ts';

const statement = { Effect: 'Allow', Action: 'lambda:*', Resource: '*' };
const parse = (document: unknown) => parseIdentityPolicy(JSON.stringify(document), 'policy.json');

test('a policy is read as it was written', () => {
  const Condition = { ArnLike: { 'lambda:FunctionArn': ['arn:aws:lambda:*:*:function:f'] } };
  const document = {
    Version: '2012-10-17',
    Statement: [statement, { ...statement, Sid: 's', Effect: 'Deny', Condition }],
  };
  assert.deepEqual(parse(document), document);
  assert.deepEqual(parse({ Statement: statement }), { Statement: [statement] });
});

test('what would not be evaluated is refused, not passed over', () => {
  const { Action: _, ...withoutAction } = statement;
  const wrong: [document: unknown, named: RegExp][] = [
    [{ Statement: { ...statement, Effect: 'deny' } }, /Effect/],
    [{ Statement: { ...withoutAction, NotAction: 'lambda:Invoke*' } }, /NotAction|Action/],
    [{ Statement: { ...statement, NotResource: '*' } }, /NotResource/],
    [{ Statement: { ...statement, Principal: '*' } }, /Principal/],
    [{ Statement: { ...statement, Condition: { IpAddress: { a: 'b' } } } }, /IpAddress/],
    [{ Statement: { ...statement, Condition: { StringEquals: { a: 1 } } } }, /StringEquals/],
    [{ Statement: { ...statement, Action: [] } }, /Action/],
    [{ Statement: 'all' }, /Statement/],
    [{}, /Statement/],
    [null, /object/],
  ];
  for (const [document, named] of wrong) {
    assert.throws(
      () => parse(document),
      (error) => isSluiceError(error, 'USAGE') && named.test(error.message),
      JSON.stringify(document),
    );
  }
  assert.throws(
    () => parseIdentityPolicy('{', 'p'),
    (error) => isSluiceError(error, 'USAGE'),
  );
});
