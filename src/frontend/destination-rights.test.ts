import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as sdk from '@aws-sdk/client-lambda';
import { owner, QUEUE, startFrontend } from './testing/harness.fixture.ts';
import { create, createActive, refusal } from './testing/lambda.fixture.ts';

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

const TOPIC = QUEUE.replace('sqs', 'sns');
const topics = { describe: async () => {} };

test('nobody makes the region send to a queue or topic that he may not send to himself', async (t) => {
  const { credentials, client, frontend } = await startFrontend(t, { topics });
  await createActive(client(), { FunctionName: 'f' });
  const allow = (...Action: string[]) => ({
    Statement: { Effect: 'Allow' as const, Action, Resource: '*' },
  });
  const limited = (...actions: string[]) => {
    const credential = {
      ...owner,
      accessKeyId: 'AKIALIMITED',
      principalArn: `arn:aws:iam::${accountId}:user/u`,
      policies: [allow('lambda:*'), allow(...actions)],
    };
    credentials.all.set(credential.accessKeyId, credential);
    return client(credential);
  };
  const put = (lambda: sdk.LambdaClient, Destination: string) =>
    lambda.send(
      new sdk.PutFunctionEventInvokeConfigCommand({
        ...{ FunctionName, DestinationConfig: { OnSuccess: { Destination } } },
      }),
    );
  const update = (lambda: sdk.LambdaClient, TargetArn: string) =>
    lambda.send(
      new sdk.UpdateFunctionConfigurationCommand({ FunctionName, DeadLetterConfig: { TargetArn } }),
    );
  const make = (lambda: sdk.LambdaClient, TargetArn: string) =>
    create(lambda, {
      FunctionName: `g-${TargetArn.split(':')[2]}`,
      DeadLetterConfig: { TargetArn },
    });
  for (const [target, action, other] of [
    [QUEUE, 'sqs:SendMessage', 'sqs:ReceiveMessage'],
    [TOPIC, 'sns:Publish', 'sns:Subscribe'],
  ] as const) {
    for (const configure of [put, update, make]) {
      const refused = await refusal(configure(limited(other), target));
      assert.equal(refused.name, 'AccessDeniedException');
      assert.ok(refused.message.includes(`${action} on resource: ${target}`), refused.message);
      await configure(limited(action), target);
    }
    const { principalArn } = credentials.all.get('AKIALIMITED') ?? {};
    const maySend = () => frontend.rights.maySend(principalArn ?? '', accountId, target);
    assert.equal(await maySend(), true);
    limited(other);
    assert.equal(await maySend(), false, 'the right has been taken back');
  }
});

test('a dead letter queue that is not there is refused when it is named, as is any without the setting', async (t) => {
  const gone = `${QUEUE}-gone`;
  const others = QUEUE.replace(accountId, '999999999999');
  const made = (lambda: sdk.LambdaClient, TargetArn: string) =>
    refusal(create(lambda, { DeadLetterConfig: { TargetArn } }));
  const invalid = (arn: string) => ({
    ...{ name: 'InvalidParameterValueException', status: 400 },
    message: `The destination ARN ${arn} is invalid.`,
  });
  const { client } = await startFrontend(t);
  for (const arn of [gone, others]) assert.deepEqual(await made(client(), arn), invalid(arn));
  const without = await startFrontend(t, { hasQueues: false });
  assert.deepEqual(await made(without.client(), QUEUE), invalid(QUEUE));
  await createActive(without.client(), { FunctionName });
  const updated = new sdk.UpdateFunctionConfigurationCommand({
    ...{ FunctionName, DeadLetterConfig: { TargetArn: QUEUE } },
  });
  assert.deepEqual(await refusal(without.client().send(updated)), invalid(QUEUE));
});
