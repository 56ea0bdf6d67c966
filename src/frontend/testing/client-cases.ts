import { IMAGE, QUEUE, REGION, ROLE } from './harness.ts';

/** What a client is asked to do, and what it must make of the answer. */
export interface ClientCase {
  /** The model's name of the operation, or `wait:` and the name of a waiter. */
  readonly operation: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** The error's name, or members of the answer (a payload as text). */
  readonly expect: string | Readonly<Record<string, unknown>>;
  /** Also in the shorter run, of clients that take a second a call. */
  readonly brief?: true;
}

const FunctionName = 'f';
const arn = `arn:aws:lambda:${REGION}:000000000000:function:f`;
const image = { PackageType: 'Image', Code: { ImageUri: IMAGE }, Role: ROLE };

/**
 * The life of a function and the ways to be refused, in order: each case builds on those before.
 * Every stock client runs the same table.
 */
export const clientCases: readonly ClientCase[] = [
  {
    operation: 'CreateFunction',
    input: { FunctionName, ...image, Tags: { a: '1' } },
    expect: { State: 'Pending', FunctionArn: arn, MemorySize: 128, Timeout: 3 },
    brief: true,
  },
  { operation: 'wait:FunctionActiveV2', input: { FunctionName }, expect: {}, brief: true },
  {
    operation: 'CreateFunction',
    input: { FunctionName, ...image },
    expect: 'ResourceConflictException',
  },
  {
    operation: 'CreateFunction',
    input: { FunctionName: 'g', ...image, Role: 'r' },
    expect: 'ValidationException',
  },
  {
    operation: 'GetFunction',
    input: { FunctionName: arn },
    expect: { Tags: { a: '1' } },
  },
  {
    operation: 'GetFunction',
    input: { FunctionName: 'missing' },
    expect: 'ResourceNotFoundException',
    brief: true,
  },
  {
    operation: 'Invoke',
    input: { FunctionName, Payload: '{"a":"é"}' },
    expect: { StatusCode: 200, ExecutedVersion: '$LATEST', Payload: '{"a":"é"}' },
    brief: true,
  },
  {
    operation: 'Invoke',
    input: { FunctionName, InvocationType: 'Event', Payload: '{}' },
    expect: { StatusCode: 202 },
  },
  {
    operation: 'Invoke',
    input: { FunctionName, InvocationType: 'DryRun' },
    expect: { StatusCode: 204 },
  },
  {
    operation: 'Invoke',
    input: { FunctionName, Payload: '{' },
    expect: 'InvalidRequestContentException',
  },
  {
    operation: 'PublishVersion',
    input: { FunctionName, Description: 'first' },
    expect: { Version: '1', FunctionArn: `${arn}:1`, Description: 'first' },
  },
  { operation: 'PublishVersion', input: { FunctionName }, expect: { Version: '1' } },
  {
    operation: 'CreateAlias',
    input: { FunctionName, Name: 'live', FunctionVersion: '1' },
    expect: { AliasArn: `${arn}:live`, FunctionVersion: '1' },
  },
  {
    operation: 'CreateAlias',
    input: { FunctionName, Name: 'other', FunctionVersion: '7' },
    expect: 'ResourceNotFoundException',
  },
  {
    operation: 'Invoke',
    input: { FunctionName, Qualifier: 'live', Payload: '1' },
    expect: { ExecutedVersion: '1', Payload: '1' },
  },
  {
    operation: 'UpdateFunctionConfiguration',
    input: { FunctionName, Timeout: 9, Environment: { Variables: { AB: 'c' } } },
    expect: { Timeout: 9, LastUpdateStatus: 'InProgress' },
  },
  { operation: 'wait:FunctionUpdatedV2', input: { FunctionName }, expect: {} },
  {
    operation: 'UpdateFunctionConfiguration',
    input: { FunctionName, RevisionId: 'old' },
    expect: 'PreconditionFailedException',
  },
  {
    operation: 'PutFunctionConcurrency',
    input: { FunctionName, ReservedConcurrentExecutions: 0 },
    expect: { ReservedConcurrentExecutions: 0 },
  },
  { operation: 'Invoke', input: { FunctionName }, expect: 'TooManyRequestsException' },
  { operation: 'DeleteFunctionConcurrency', input: { FunctionName }, expect: {} },
  {
    operation: 'TagResource',
    input: { Resource: arn, Tags: { 'b c': '2' } },
    expect: {},
  },
  {
    operation: 'ListTags',
    input: { Resource: arn },
    expect: { Tags: { a: '1', 'b c': '2' } },
  },
  { operation: 'UntagResource', input: { Resource: arn, TagKeys: ['a', 'b c'] }, expect: {} },
  {
    operation: 'GetPolicy',
    input: { FunctionName, Qualifier: 'live' },
    expect: 'ResourceNotFoundException',
  },
  {
    operation: 'AddPermission',
    input: {
      ...{ FunctionName, Qualifier: 'live', StatementId: 's', Principal: 's3.amazonaws.com' },
      Action: 'lambda:InvokeFunction',
    },
    expect: {},
  },
  {
    operation: 'RemovePermission',
    input: { FunctionName, Qualifier: 'live', StatementId: 's' },
    expect: {},
  },
  {
    operation: 'PutFunctionEventInvokeConfig',
    input: { FunctionName, MaximumRetryAttempts: 0 },
    expect: { FunctionArn: `${arn}:$LATEST`, MaximumRetryAttempts: 0 },
  },
  {
    operation: 'PutProvisionedConcurrencyConfig',
    input: { FunctionName, Qualifier: 'live', ProvisionedConcurrentExecutions: 2 },
    expect: { RequestedProvisionedConcurrentExecutions: 2 },
  },
  {
    operation: 'DeleteProvisionedConcurrencyConfig',
    input: { FunctionName, Qualifier: 'live' },
    expect: {},
  },
  {
    operation: 'CreateFunctionUrlConfig',
    input: { FunctionName, AuthType: 'NONE' },
    expect: { AuthType: 'NONE', FunctionArn: arn },
  },
  { operation: 'GetFunctionCodeSigningConfig', input: { FunctionName }, expect: { FunctionName } },
  {
    operation: 'CreateEventSourceMapping',
    input: { FunctionName, EventSourceArn: `arn:aws:sqs:${REGION}:000000000000:q` },
    expect: 'InvalidParameterValueException',
  },
  {
    operation: 'CreateEventSourceMapping',
    input: { FunctionName, EventSourceArn: QUEUE, MaximumBatchingWindowInSeconds: 1 },
    expect: { State: 'Creating', FunctionArn: arn, BatchSize: 10, FunctionResponseTypes: [] },
  },
  {
    operation: 'CreateEventSourceMapping',
    input: { FunctionName, EventSourceArn: QUEUE },
    expect: 'ResourceConflictException',
  },
  {
    operation: 'UpdateEventSourceMapping',
    input: { UUID: '00000000-0000-4000-8000-000000000000', BatchSize: 1 },
    expect: 'ResourceNotFoundException',
  },
  { operation: 'DeleteAlias', input: { FunctionName, Name: 'live' }, expect: {} },
  { operation: 'DeleteFunction', input: { FunctionName }, expect: {}, brief: true },
  { operation: 'ListFunctions', input: {}, expect: { Functions: [] } },
];
