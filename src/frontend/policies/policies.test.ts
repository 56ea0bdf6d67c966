import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../../test/support/property-runs.ts';
import type { IdentityPolicy, IdentityStatement } from '../../accounts/mod.ts';
import type { PolicyStatement } from '../../records/mod.ts';
import { arnMatches, evaluateIdentity, wildcardMatches } from './identity-policy.ts';
import { resourceAllows } from './resource-policy.ts';

const request = {
  action: 'lambda:InvokeFunction',
  resource: 'arn:aws:lambda:us-east-1:1:function:f',
};
const policy = (...Statement: Partial<IdentityStatement>[]): IdentityPolicy => ({
  Statement: Statement.map((each) => ({ Effect: 'Allow', Action: '*', Resource: '*', ...each })),
});
const verdict = (context: Record<string, string>, ...policies: IdentityPolicy[]) =>
  evaluateIdentity(policies, request, context);

test('wildcards match as the equal regular expression does, in linear time', () => {
  const text = fc.stringMatching(/^[ab:*?]{0,12}$/);
  fc.assert(
    fc.property(text, fc.stringMatching(/^[ab:]{0,12}$/), (pattern, subject) => {
      const source = pattern.replace(/[*?]/g, (char) => (char === '*' ? '.*' : '.'));
      assert.equal(wildcardMatches(pattern, subject), new RegExp(`^${source}$`).test(subject));
    }),
    { numRuns: propertyRuns(100) },
  );
  assert.equal(wildcardMatches(`${'a*'.repeat(2000)}b`, 'a'.repeat(20_000)), false);
});

test('nothing is allowed unless something says so, and a deny wins', () => {
  assert.equal(verdict({}), 'none');
  assert.equal(verdict({}, policy({})), 'allow');
  assert.equal(verdict({}, policy({}, { Effect: 'Deny' })), 'deny');
  assert.equal(verdict({}, policy({ Effect: 'Deny' }), policy({})), 'deny');
  assert.equal(verdict({}, policy({ Action: 'lambda:invoke*' })), 'allow', 'any case');
  assert.equal(verdict({}, policy({ Action: ['s3:*', 'lambda:Get*'] })), 'none');
  assert.equal(verdict({}, policy({ Resource: `${request.resource}:*` })), 'none');
});

test('conditions hold only for what is known and equal', () => {
  const when = (Condition: IdentityStatement['Condition'], Effect: 'Allow' | 'Deny' = 'Allow') =>
    policy({ Effect, Condition: Condition ?? {} });
  const context = { 'aws:principalaccount': '1' };
  assert.equal(verdict(context, when({ StringEquals: { 'aws:PrincipalAccount': '1' } })), 'allow');
  assert.equal(verdict(context, when({ StringEquals: { 'aws:PrincipalAccount': '2' } })), 'none');
  assert.equal(verdict(context, when({ StringEquals: { 'aws:Other': '1' } })), 'none');
  assert.equal(verdict(context, when({ NumericEquals: { 'aws:PrincipalAccount': '1' } })), 'none');
  const both = { StringLike: { 'aws:PrincipalAccount': ['x', '?'] }, ArnLike: { a: '*' } };
  assert.equal(verdict(context, when(both)), 'none');
  const unknown = when({ NumericEquals: { a: '1' } }, 'Deny');
  assert.equal(verdict(context, policy({}), unknown), 'deny', 'a deny is not passed over');
  const others = when({ StringEquals: { 'aws:PrincipalAccount': '2' } }, 'Deny');
  assert.equal(verdict(context, policy({}), others), 'allow', 'nor does it mean everybody');
});

test('the parts of an ARN match one by one', () => {
  const f = 'arn:aws:lambda:us-east-1:111111111111:function:f';
  const matching = ['*', f, 'arn:*:lambda:*:*:*', 'arn:aws:lambda:us-*-1:1*:function:?', `${f}*`];
  matching.push('arn:aws:lambda:*:*:*f');
  for (const pattern of matching) assert.equal(arnMatches(pattern, f), true, pattern);
  const other = ['arn:*', 'arn:aws:*:function:f', 'arn:aws:lambda:*:222222222222:*', '', `${f}?`];
  for (const pattern of other) assert.equal(arnMatches(pattern, f), false, pattern);
  const user = 'arn:aws:iam::222222222222:user/a:111111111111:user/admin';
  assert.equal(arnMatches('arn:aws:iam:*:111111111111:user/admin', user), false);
});

test('a statement with an unknown effect has no effect', () => {
  const odd = policy({ Effect: 'allow' as 'Allow' });
  assert.equal(verdict({}, odd), 'none');
});

test('a resource policy allows whom it names, under all of its conditions', () => {
  const statement: PolicyStatement = {
    ...{ Sid: 's', Effect: 'Allow', Principal: { AWS: 'arn:aws:iam::1:root' } },
    ...{ Action: 'lambda:InvokeFunction', Resource: request.resource },
  };
  const allows = (
    change: Partial<PolicyStatement>,
    context: Record<string, string> = {},
    accountId = '1',
  ) =>
    resourceAllows(
      { statements: [{ ...statement, ...change }], revisionId: 'r' },
      { ...request, accountId, principalArn: `arn:aws:iam::${accountId}:user/u`, context },
    );
  assert.equal(allows({}), true);
  assert.equal(allows({}, {}, '2'), false);
  assert.equal(allows({ Principal: '*' }, {}, '2'), true);
  assert.equal(allows({ Principal: { Service: 's3.amazonaws.com' } }), false);
  assert.equal(allows({ Principal: { AWS: 'arn:aws:iam::1:user/u' } }), true);
  assert.equal(allows({ Action: 'lambda:GetFunction' }), false);
  const Condition = { StringEquals: { 'AWS:SourceAccount': '5' } };
  assert.equal(allows({ Condition }), false);
  assert.equal(allows({ Condition }, { 'AWS:SourceAccount': '5' }), true);
  const any = { StringEquals: { 'AWS:SourceAccount': '*' } };
  assert.equal(allows({ Condition: any }, { 'AWS:SourceAccount': '5' }), false, 'no wildcard');
  const unknown = { IpAddress: { 'AWS:SourceAccount': '5' } };
  assert.equal(allows({ Condition: unknown }, { 'AWS:SourceAccount': '5' }), false);
  assert.equal(
    resourceAllows(undefined, { ...request, accountId: '1', principalArn: '', context: {} }),
    false,
  );
});
