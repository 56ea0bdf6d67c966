import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as sdk from '@aws-sdk/client-lambda';
import { owner, startFrontend } from './testing/harness.fixture.ts';
import { createActive, refusal } from './testing/lambda.fixture.ts';

const FunctionName = 'f';
const arnOf = (name: string) => `arn:aws:lambda:us-east-1:000000000000:function:${name}`;

test('nobody makes the region invoke a function that he may not invoke himself', async (t) => {
  const { credentials, client, store } = await startFrontend(t);
  for (const name of ['f', 'mine', 'theirs']) await createActive(client(), { FunctionName: name });
  const statement = (Action: string[], Resource: string) => ({
    Statement: { Effect: 'Allow' as const, Action, Resource },
  });
  const limited = {
    ...owner,
    accessKeyId: 'AKIALIMITED',
    principalArn: 'arn:aws:iam::000000000000:user/u',
    policies: [
      statement(['lambda:PutFunctionEventInvokeConfig'], arnOf('f')),
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
  const record = await store.read({ accountId: '000000000000', name: 'f' });
  const config = record?.eventInvokeConfigs['$LATEST'];
  assert.equal(config?.configuredBy, limited.principalArn, 'who answers for it is kept');
});
