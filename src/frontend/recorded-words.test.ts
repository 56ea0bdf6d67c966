import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AddPermissionCommand,
  CreateAliasCommand,
  CreateFunctionUrlConfigCommand,
  DeleteFunctionEventInvokeConfigCommand,
  DeleteFunctionUrlConfigCommand,
  GetFunctionEventInvokeConfigCommand,
  GetFunctionUrlConfigCommand,
  GetPolicyCommand,
  ListFunctionEventInvokeConfigsCommand,
  ListFunctionUrlConfigsCommand,
  PublishVersionCommand,
  PutFunctionEventInvokeConfigCommand,
  RemovePermissionCommand,
  UpdateFunctionEventInvokeConfigCommand,
  UpdateFunctionUrlConfigCommand,
} from '@aws-sdk/client-lambda';
import { REGION, startFrontend } from './testing/harness.fixture.ts';
import { createActive, refusal } from './testing/lambda.fixture.ts';

const arn = `arn:aws:lambda:${REGION}:000000000000:function`;
const FunctionName = 'f';
const gone = { FunctionName: 'doesnotexist' };
const noAlias = { FunctionName, Qualifier: 'doesnotexist' };
const noVersion = { FunctionName, Qualifier: '42' };
const odd = { FunctionName, Qualifier: 'valid-with-$-but-doesnotexist' };
const none = { FunctionName };
const retry = { MaximumRetryAttempts: 1 };
const auth = { AuthType: 'NONE' as const };
const statement = { StatementId: 's', Action: 'lambda:InvokeFunction', Principal: '123456789012' };
const s = { StatementId: 's' };

const noConfig = (of: string) => `The function ${arn}:${of} doesn't have an EventInvokeConfig`;
const noFunction = "The function doesn't exist.";
const noSuchUrlFunction = 'Function does not exist';
const noResource = 'The resource you requested does not exist.';

// Words recorded from AWS (contract, appendix C) of what is not there: HTTP 404,
// ResourceNotFoundException. The function is there, and has version 1 and an alias of it.
const recorded = [
  [new GetFunctionEventInvokeConfigCommand(gone), noConfig('doesnotexist:$LATEST')],
  [new GetFunctionEventInvokeConfigCommand(none), noConfig('f:$LATEST')],
  [new GetFunctionEventInvokeConfigCommand(noAlias), noConfig('f:doesnotexist')],
  [new GetFunctionEventInvokeConfigCommand(noVersion), noConfig('f:42')],
  [new DeleteFunctionEventInvokeConfigCommand(gone), noConfig('doesnotexist:$LATEST')],
  [new DeleteFunctionEventInvokeConfigCommand(noAlias), noConfig('f:doesnotexist')],
  [new UpdateFunctionEventInvokeConfigCommand({ ...none, ...retry }), noConfig('f:$LATEST')],
  [
    new UpdateFunctionEventInvokeConfigCommand({ FunctionName, Qualifier: 'live', ...retry }),
    noConfig('f:live'),
  ],
  [
    new UpdateFunctionEventInvokeConfigCommand({
      ...none,
      DestinationConfig: { OnSuccess: { Destination: `${arn}:doesnotexist` } },
    }),
    noConfig('f:$LATEST'),
  ],
  [new UpdateFunctionEventInvokeConfigCommand({ ...gone, ...retry }), noFunction],
  [new UpdateFunctionEventInvokeConfigCommand({ ...noAlias, ...retry }), noFunction],
  [new PutFunctionEventInvokeConfigCommand({ ...gone, ...retry }), noFunction],
  [new PutFunctionEventInvokeConfigCommand({ ...noAlias, ...retry }), noFunction],
  [new PutFunctionEventInvokeConfigCommand({ ...noVersion, ...retry }), noFunction],
  [new ListFunctionEventInvokeConfigsCommand(gone), noFunction],
  [new AddPermissionCommand({ ...gone, ...statement }), `Function not found: ${arn}:doesnotexist`],
  [
    new AddPermissionCommand({ ...noAlias, ...statement }),
    `Cannot find alias arn: ${arn}:f:doesnotexist`,
  ],
  [new AddPermissionCommand({ ...noVersion, ...statement }), `Function not found: ${arn}:f:42`],
  [
    new AddPermissionCommand({ ...odd, ...statement }),
    `Function not found: ${arn}:f:valid-with-$-but-doesnotexist`,
  ],
  [new RemovePermissionCommand({ ...gone, ...s }), `No policy found for: ${arn}:doesnotexist`],
  [
    new RemovePermissionCommand({ ...none, ...s }),
    'No policy is associated with the given resource.',
  ],
  [
    new RemovePermissionCommand({ ...noAlias, ...s }),
    `Cannot find alias arn: ${arn}:f:doesnotexist`,
  ],
  [new RemovePermissionCommand({ ...noVersion, ...s }), `Function not found: ${arn}:f:42`],
  [new GetPolicyCommand(gone), `Function not found: ${arn}:doesnotexist`],
  [new GetPolicyCommand(none), noResource],
  [new CreateFunctionUrlConfigCommand({ ...gone, ...auth }), noSuchUrlFunction],
  [new CreateFunctionUrlConfigCommand({ ...noAlias, ...auth }), noSuchUrlFunction],
  [new UpdateFunctionUrlConfigCommand({ ...gone, ...auth }), noSuchUrlFunction],
  [new UpdateFunctionUrlConfigCommand({ ...noAlias, ...auth }), noSuchUrlFunction],
  [new UpdateFunctionUrlConfigCommand({ ...none, ...auth }), noResource],
  [new ListFunctionUrlConfigsCommand(gone), noSuchUrlFunction],
  [new GetFunctionUrlConfigCommand(gone), noResource],
  [new GetFunctionUrlConfigCommand(noAlias), noResource],
  [new DeleteFunctionUrlConfigCommand(gone), noResource],
  [new DeleteFunctionUrlConfigCommand(noAlias), noResource],
] as const;

test('what is not there is said in the words, and with the qualifier, that AWS says it with', async (t) => {
  const lambda = (await startFrontend(t)).client();
  await createActive(lambda);
  await lambda.send(new PublishVersionCommand({ FunctionName }));
  await lambda.send(new CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '1' }));
  const send = lambda.send.bind(lambda) as (command: object) => Promise<unknown>;
  for (const [command, message] of recorded) {
    assert.deepEqual(
      await refusal(send(command)),
      { name: 'ResourceNotFoundException', status: 404, message },
      `${command.constructor.name} ${JSON.stringify(command.input)}`,
    );
  }
});

test('a statement that is not in a policy, and a policy of $LATEST by name, are refused', async (t) => {
  const lambda = (await startFrontend(t)).client();
  await createActive(lambda);
  await lambda.send(new AddPermissionCommand({ FunctionName, ...statement }));
  const words = async (command: AddPermissionCommand | RemovePermissionCommand) => {
    const send = lambda.send.bind(lambda) as (command: object) => Promise<unknown>;
    return (await refusal(send(command))).message;
  };
  const twice = new AddPermissionCommand({ FunctionName, ...statement });
  assert.equal(
    await words(twice),
    'The statement id (s) provided already exists. Please provide a new statement id, or remove ' +
      'the existing statement.',
  );
  const absent = new RemovePermissionCommand({ FunctionName, StatementId: 'non-existent' });
  assert.equal(await words(absent), 'Statement non-existent is not found in resource policy.');
  const latest = new AddPermissionCommand({ FunctionName, Qualifier: '$LATEST', ...statement });
  assert.equal(await words(latest), 'We currently do not support adding policies for $LATEST.');
});
