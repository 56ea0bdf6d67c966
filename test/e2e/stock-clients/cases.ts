import { createHash } from 'node:crypto';
import { writeZip } from '../../../src/zip/mod.ts';

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

/** What a client made of a case: the error's name, or the answer. */
export type ClientResult = string | Readonly<Record<string, unknown>>;

const account = 'arn:aws:lambda:us-east-1:000000000000';

/** Answers each event with itself, and fails when it is told to. */
const bootstrap = `#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
  event=$(curl -sS -D /tmp/headers "$api/next")
  id=$(grep -i lambda-runtime-aws-request-id /tmp/headers | tr -d '[:space:]' | cut -d: -f2)
  case $event in
    *fail*) answer=error; event='{"errorType":"Shell.Failed","errorMessage":"told to"}' ;;
    *) answer=response ;;
  esac
  printf '%s' "$event" | curl -sS --data-binary @- "$api/$id/$answer" > /tmp/taken
done
`;

/** An archive as JSON has it; drivers turn every `ZipFile` into what their client takes. */
const zipOf = (name: string, text: string) =>
  writeZip([{ name, mode: 0o755, content: Buffer.from(text) }]);
const code = zipOf('bootstrap', bootstrap);
const ZipFile = code.toString('base64');
const sha256Of = (bytes: Buffer) => createHash('sha256').update(bytes).digest('base64');
const next = zipOf('bootstrap', `${bootstrap}# changed\n`);
const layerZip = zipOf('data.txt', 'of a layer');
const Role = 'arn:aws:iam::000000000000:role/r';
const zip = { Runtime: 'provided.al2023', Handler: 'h', Role, Code: { ZipFile } };

/**
 * The life of a function and the ways to be refused, in order: each case builds on those before.
 * Every stock client runs the same table, with names of its own; the queue has to be there.
 */
export function clientCases(client: string, queueArn: string): readonly ClientCase[] {
  const FunctionName = `f-${client}`;
  const arn = `${account}:function:${FunctionName}`;
  const layer = { LayerName: `l-${client}` };
  const layerArn = `${account}:layer:${layer.LayerName}`;
  return [
    {
      operation: 'PublishLayerVersion',
      input: { ...layer, Content: { ZipFile: layerZip.toString('base64') } },
      expect: { LayerArn: layerArn, LayerVersionArn: `${layerArn}:1`, Version: 1 },
      brief: true,
    },
    {
      operation: 'GetLayerVersionByArn',
      input: { Arn: `${layerArn}:1` },
      expect: { Version: 1, CompatibleRuntimes: [] },
    },
    {
      operation: 'CreateFunction',
      input: { FunctionName: 'g', ...zip, Layers: [`${layerArn}:7`] },
      expect: 'InvalidParameterValueException',
    },
    {
      operation: 'CreateFunction',
      input: { FunctionName: 'g', ...zip, Code: { ZipFile: 'bm8gemlw' } },
      expect: 'InvalidParameterValueException',
    },
    {
      operation: 'CreateFunction',
      input: { FunctionName: 'g', ...zip, Runtime: 'cobol' },
      expect: 'InvalidParameterValueException',
    },
    {
      operation: 'CreateFunction',
      input: { FunctionName: 'g', ...zip, Code: { S3Bucket: 'bbb', S3Key: 'k' } },
      expect: 'InvalidParameterValueException',
    },
    {
      operation: 'CreateFunction',
      input: { FunctionName, ...zip, Tags: { a: '1' }, Layers: [`${layerArn}:1`] },
      expect: {
        ...{ State: 'Pending', FunctionArn: arn, MemorySize: 128, Timeout: 3, PackageType: 'Zip' },
        ...{ Runtime: 'provided.al2023', Handler: 'h', Version: '$LATEST' },
        ...{ CodeSize: code.length, CodeSha256: sha256Of(code) },
        Layers: [{ Arn: `${layerArn}:1`, CodeSize: layerZip.length }],
      },
      brief: true,
    },
    { operation: 'wait:FunctionActiveV2', input: { FunctionName }, expect: {}, brief: true },
    {
      operation: 'CreateFunction',
      input: { FunctionName, ...zip },
      expect: 'ResourceConflictException',
    },
    {
      operation: 'CreateFunction',
      input: { FunctionName: 'g', ...zip, Role: 'r' },
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
      input: { FunctionName, Payload: '"fail"' },
      expect: {
        ...{ StatusCode: 200, FunctionError: 'Unhandled' },
        Payload: '{"errorType":"Shell.Failed","errorMessage":"told to"}',
      },
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
      operation: 'UpdateFunctionCode',
      input: { FunctionName, ZipFile: next.toString('base64'), DryRun: true },
      expect: { CodeSha256: sha256Of(next), CodeSize: next.length },
    },
    {
      operation: 'GetFunctionConfiguration',
      input: { FunctionName },
      expect: { CodeSha256: sha256Of(code), Timeout: 9, LastUpdateStatus: 'Successful' },
    },
    {
      operation: 'UpdateFunctionCode',
      input: { FunctionName, ZipFile: next.toString('base64'), Publish: true },
      expect: { CodeSha256: sha256Of(next) },
      brief: true,
    },
    { operation: 'wait:FunctionUpdatedV2', input: { FunctionName }, expect: {}, brief: true },
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
    {
      operation: 'GetFunctionCodeSigningConfig',
      input: { FunctionName },
      expect: { FunctionName },
    },
    {
      operation: 'CreateEventSourceMapping',
      input: { FunctionName, EventSourceArn: queueArn, MaximumBatchingWindowInSeconds: 1 },
      expect: { State: 'Creating', FunctionArn: arn, BatchSize: 10, FunctionResponseTypes: [] },
    },
    {
      operation: 'CreateEventSourceMapping',
      input: { FunctionName, EventSourceArn: queueArn },
      expect: 'ResourceConflictException',
    },
    {
      operation: 'CreateEventSourceMapping',
      input: { FunctionName, EventSourceArn: `${queueArn}-missing` },
      expect: 'InvalidParameterValueException',
    },
    {
      operation: 'UpdateEventSourceMapping',
      input: { UUID: '00000000-0000-4000-8000-000000000000', BatchSize: 1 },
      expect: 'ResourceNotFoundException',
    },
    { operation: 'DeleteAlias', input: { FunctionName, Name: 'live' }, expect: {} },
    { operation: 'DeleteFunction', input: { FunctionName }, expect: {}, brief: true },
    {
      operation: 'DeleteLayerVersion',
      input: { ...layer, VersionNumber: 1 },
      expect: {},
    },
    { operation: 'ListLayers', input: {}, expect: { Layers: [] } },
    { operation: 'GetAccountSettings', input: {}, expect: {}, brief: true },
    { operation: 'ListFunctions', input: {}, expect: { Functions: [] }, brief: true },
  ];
}
