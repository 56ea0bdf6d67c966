import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as sdk from '@aws-sdk/client-lambda';
import { owner, startFrontend } from './testing/harness.fixture.ts';
import { createActive, refusal } from './testing/lambda.fixture.ts';

const FunctionName = 'f';
const accountId = '000000000000';
const arnOf = (name: string) => `arn:aws:lambda:us-east-1:000000000000:function:${name}`;

test('nobody makes the region invoke a function that he may not invoke himself', async (t) => {
  const { credentials, client, store, frontend } = await startFrontend(t);
  for (const name of ['f', 'mine', 'theirs']) await createActive(client(), { FunctionName: name });
  const statement = (Action: string[], Resource: string) => ({
    Statement: { Effect: 'Allow' as const, Action, Resource },
  });
  const limited = {
    ...owner,
    accessKeyId: 'AKIALIMITED',
    principalArn: 'arn:aws:iam::000000000000:user/u',
    policies: [
      statement(['lambda:*FunctionEventInvokeConfig'], arnOf('f')),
      statement(['lambda:UpdateFunctionConfiguration'], arnOf('f')),
      statement(['lambda:InvokeFunction'], arnOf('mine')),
    ],
  };
  credentials.all.set(limited.accessKeyId, limited);
  const lambda = client(limited);
  const put = (name: string) =>
    lambda.send(
      new sdk.PutFunctionEventInvokeConfigCommand({
        ...{ FunctionName },
        DestinationConfig: { OnFailure: { Destination: arnOf(name) } },
      }),
    );
  const deadLetter = (name: string) =>
    lambda.send(
      new sdk.UpdateFunctionConfigurationCommand({
        ...{ FunctionName },
        DeadLetterConfig: { TargetArn: arnOf(name) },
      }),
    );
  for (const configure of [put, deadLetter]) {
    const refused = await refusal(configure('theirs'));
    assert.equal(refused.name, 'AccessDeniedException');
    assert.match(refused.message, /lambda:InvokeFunction on resource: \S+:theirs/);
    await configure('mine');
  }
  const record = await store.read({ accountId, name: 'f' });
  const config = record?.eventInvokeConfigs['$LATEST'];
  assert.equal(config?.configuredBy, limited.principalArn, 'who answers for it is kept');
  const { deadLetterConfiguredBy } = record?.latest.configuration ?? {};
  assert.equal(deadLetterConfiguredBy, limited.principalArn);
  const asOfNow = (functionName: string, principalArn: string = limited.principalArn) =>
    frontend.rights.mayInvoke(principalArn, { accountId, functionName });
  assert.deepEqual([await asOfNow('mine'), await asOfNow('theirs')], [true, false]);
  assert.ok(await asOfNow('theirs', `arn:aws:iam::${accountId}:root`));
  await lambda.send(
    new sdk.UpdateFunctionEventInvokeConfigCommand({ FunctionName, MaximumRetryAttempts: 1 }),
  );
  credentials.all.set(limited.accessKeyId, { ...limited, disabled: true });
  assert.equal(await asOfNow('mine'), false, 'a disabled key is nobody’s');
  credentials.all.set(limited.accessKeyId, { ...limited, policies: [] });
  assert.equal(await asOfNow('mine'), false, 'the right has been taken back');
  const role = `arn:aws:iam::${accountId}:role/r`;
  assert.equal(await asOfNow('mine', role), false);
  await client().send(
    new sdk.AddPermissionCommand({
      ...{ FunctionName: 'mine', StatementId: 's', Principal: role },
      Action: 'lambda:InvokeFunction',
    }),
  );
  assert.ok(
    await asOfNow('mine', role),
    'a sandbox has what the function’s policy allows its role',
  );
});

test('who changes retries does not answer for a destination, who names one answers for both', async (t) => {
  const { credentials, client, store } = await startFrontend(t);
  for (const name of ['f', 'mine', 'theirs']) await createActive(client(), { FunctionName: name });
  const Action = ['lambda:UpdateFunctionEventInvokeConfig'];
  const own = {
    Effect: 'Allow' as const,
    Action: 'lambda:InvokeFunction',
    Resource: arnOf('mine'),
  };
  const limited = {
    ...owner,
    accessKeyId: 'AKIALIMITED',
    principalArn: `arn:aws:iam::${accountId}:user/u`,
    policies: [{ Statement: [{ Effect: 'Allow' as const, Action, Resource: '*' }, own] }],
  };
  credentials.all.set(limited.accessKeyId, limited);
  const update = (lambda: sdk.LambdaClient, change: object) =>
    lambda.send(new sdk.UpdateFunctionEventInvokeConfigCommand({ FunctionName, ...change }));
  const configuredBy = async () =>
    (await store.read({ accountId, name: 'f' }))?.eventInvokeConfigs['$LATEST']?.configuredBy;
  const to = (name: string) => ({ Destination: arnOf(name) });
  await client().send(
    new sdk.PutFunctionEventInvokeConfigCommand({
      ...{ FunctionName, DestinationConfig: { OnFailure: to('theirs') } },
    }),
  );
  await update(client(limited), { MaximumRetryAttempts: 1 });
  assert.equal(await configuredBy(), `arn:aws:iam::${accountId}:root`);
  const refused = await refusal(
    update(client(limited), { DestinationConfig: { OnSuccess: to('mine') } }),
  );
  assert.equal(refused.name, 'AccessDeniedException');
});
