import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../../base/mod.ts';
import type { PolicyStatement } from '../../records/mod.ts';
import { ApiError } from '../api-error.ts';
import { validate } from '../shapes.ts';
import {
  policyAnswer,
  principal,
  statementId,
  withoutStatement,
  withStatement,
} from './statements.ts';

const named = (
  Sid: string,
  Resource = 'arn:aws:lambda:us-east-1:1:function:f',
): PolicyStatement => ({
  ...{ Sid, Effect: 'Allow', Principal: '*', Action: 'lambda:InvokeFunction', Resource },
});
const policyOf = (...statements: PolicyStatement[]) => ({ statements, revisionId: 'r1' });
const refusedAs = (exception: string) => (error: unknown) =>
  error instanceof ApiError && error.exception === exception;

test('a principal is anybody, an account, a user or role, or a service; nothing else is one', () => {
  const account = '123456789012';
  const role = `arn:aws:iam::${account}:role/r`;
  const session = `arn:aws-cn:sts::${account}:assumed-role/r/s`;
  assert.equal(principal('*'), '*');
  assert.deepEqual(principal(account), { AWS: `arn:aws:iam::${account}:root` });
  assert.deepEqual(principal(role), { AWS: role });
  assert.deepEqual(principal(session), { AWS: session });
  for (const Service of ['s3.amazonaws.com', 'events.amazonaws.com.cn', 'a-1.b.amazon.com']) {
    assert.deepEqual(principal(Service), { Service });
  }
  const others = ['', '**', '12345678901', `${account}3`, 'arn:aws:iam::1:role/r', `${role} `];
  others.push('arn:aws:s3:::bucket', 'example.com', 'amazonaws.com', 's3.amazonaws.com.evil.com');
  for (const other of others) {
    assert.throws(() => principal(other), refusedAs('InvalidParameterValueException'), other);
  }
});

test('a statement’s id has 1 to 100 letters, digits, dashes and underscores', () => {
  for (const id of ['a', 'A-1_b', 'x'.repeat(100)]) assert.equal(validate(statementId, id), id);
  for (const id of ['', 'x'.repeat(101), 'a b', 'a.b']) {
    assert.throws(() => validate(statementId, id), refusedAs('ValidationException'), id);
  }
});

test('a statement is added behind those that are there, under an id of its own', () => {
  assert.deepEqual(withStatement(undefined, named('a')), [named('a')]);
  const two = withStatement(policyOf(named('a')), named('b'));
  assert.deepEqual(two, [named('a'), named('b')]);
  const again = () => withStatement(policyOf(...two), named('b'));
  assert.throws(again, refusedAs('ResourceConflictException'));
});

test('a policy is as long as the limit and no longer', () => {
  const lengthOf = (statements: readonly PolicyStatement[]) =>
    Buffer.byteLength(
      JSON.stringify({ Version: '2012-10-17', Id: 'default', Statement: statements }),
    );
  const room = limits.lambda.resourcePolicyBytes - lengthOf([named('a', '')]);
  assert.equal(withStatement(undefined, named('a', 'x'.repeat(room))).length, 1);
  const longer = () => withStatement(undefined, named('a', `${'x'.repeat(room - 1)}é`));
  assert.throws(longer, refusedAs('PolicyLengthExceededException'));
});

test('a statement is taken out by its id, and only one that is there', () => {
  const policy = policyOf(named('a'), named('b'), named('c'));
  assert.deepEqual(withoutStatement(policy, 'b'), [named('a'), named('c')]);
  assert.throws(() => withoutStatement(policy, 'd'), refusedAs('ResourceNotFoundException'));
  assert.throws(() => withoutStatement(undefined, 'a'), refusedAs('ResourceNotFoundException'));
});

test('a policy is answered as a document of its own within the answer', () => {
  const { status, body } = policyAnswer(policyOf(named('a')));
  assert.equal(status, 200);
  const { Policy, RevisionId } = JSON.parse(String(body)) as { Policy: string; RevisionId: string };
  assert.equal(RevisionId, 'r1');
  const expected = { Version: '2012-10-17', Id: 'default', Statement: [named('a')] };
  assert.deepEqual(JSON.parse(Policy), expected);
});
