import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AddPermissionCommand,
  CreateAliasCommand,
  CreateCodeSigningConfigCommand,
  CreateFunctionCommand,
  CreateFunctionUrlConfigCommand,
  DeleteAliasCommand,
  DeleteFunctionCommand,
  GetAliasCommand,
  GetFunctionConfigurationCommand,
  GetFunctionRecursionConfigCommand,
  GetPolicyCommand,
  GetRuntimeManagementConfigCommand,
  InvokeCommand,
  type LambdaClient,
  PublishVersionCommand,
  PutFunctionEventInvokeConfigCommand,
  PutFunctionRecursionConfigCommand,
  PutProvisionedConcurrencyConfigCommand,
  PutRuntimeManagementConfigCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionActiveV2,
  waitUntilFunctionUpdatedV2,
  waitUntilPublishedVersionActive,
} from '@aws-sdk/client-lambda';
import { IMAGE, REGION, ROLE, startFrontend } from './testing/harness.fixture.ts';
import { create, createActive, refusal } from './testing/lambda.fixture.ts';
import { makeZip } from './testing/zip.fixture.ts';

const FunctionName = 'f';
const arn = `arn:aws:lambda:${REGION}:000000000000:function:f`;
const waiter = (client: LambdaClient) => ({
  ...{ client, maxWaitTime: 30, minDelay: 0.02, maxDelay: 0.05 },
});
const settled = (client: LambdaClient) =>
  waitUntilFunctionUpdatedV2(waiter(client), { FunctionName });
const revisionOf = async (client: LambdaClient) =>
  (await client.send(new GetFunctionConfigurationCommand({ FunctionName }))).RevisionId;

test('members that nothing here serves are refused in words at create', async (t) => {
  const lambda = (await startFrontend(t)).client();
  const signing = `arn:aws:lambda:${REGION}:000000000000:code-signing-config:csc-1`;
  const cases = {
    CodeSigningConfigArn: { CodeSigningConfigArn: signing },
    DurableConfig: { DurableConfig: { ExecutionTimeout: 60 } },
    PublishTo: { PublishTo: 'LATEST_PUBLISHED' as const },
    CapacityProviderConfig: {
      CapacityProviderConfig: {
        LambdaManagedInstancesCapacityProviderConfig: { CapacityProviderArn: `${signing}x` },
      },
    },
    SourceKMSKeyArn: { Code: { ImageUri: IMAGE, SourceKMSKeyArn: 'arn:aws:kms:::key/k' } },
  };
  for (const [member, given] of Object.entries(cases)) {
    const input = { FunctionName, Role: ROLE, PackageType: 'Image' as const };
    const { name, message } = await refusal(
      lambda.send(new CreateFunctionCommand({ Code: { ImageUri: IMAGE }, ...input, ...given })),
    );
    assert.equal(name, 'InvalidParameterValueException', member);
    assert.match(message, new RegExp(`^${member} is not supported: `));
  }
  const created = await create(lambda);
  assert.equal(created.FunctionName, FunctionName, 'nothing was left behind by the refused ones');
});

test('an invoke by a durable name is refused in words', async (t) => {
  const lambda = (await startFrontend(t)).client();
  await createActive(lambda);
  const input = { FunctionName, DurableExecutionName: 'once' };
  const { name, message } = await refusal(lambda.send(new InvokeCommand(input)));
  assert.equal(name, 'InvalidParameterValueException');
  assert.match(message, /^DurableExecutionName is not supported/);
});

test('operations that a region does not support say so', async (t) => {
  const lambda = (await startFrontend(t)).client();
  const AllowedPublishers = { SigningProfileVersionArns: ['arn:aws:signer:::/p/1'] };
  const asked = lambda.send(new CreateCodeSigningConfigCommand({ AllowedPublishers }));
  const { name, message } = await refusal(asked);
  assert.equal(name, 'InvalidParameterValueException');
  assert.match(message, /^CreateCodeSigningConfig is not supported: /);
});

test('a version published at create is the one that publishing again answers', async (t) => {
  const lambda = (await startFrontend(t)).client();
  const input = { FunctionName, Role: ROLE, PackageType: 'Image' as const, Publish: true };
  await lambda.send(new CreateFunctionCommand({ ...input, Code: { ImageUri: IMAGE } }));
  await waitUntilFunctionActiveV2(waiter(lambda), { FunctionName });
  const again = await lambda.send(new PublishVersionCommand({ FunctionName }));
  assert.equal(again.Version, '1');
});

test('a changed description makes another version; publishing renews the revision of $LATEST', async (t) => {
  const lambda = (await startFrontend(t)).client();
  await createActive(lambda);
  const before = await revisionOf(lambda);
  await lambda.send(new PublishVersionCommand({ FunctionName }));
  const after = await revisionOf(lambda);
  assert.notEqual(after, before);
  await lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName, Description: 'new' }));
  await settled(lambda);
  const second = await lambda.send(new PublishVersionCommand({ FunctionName }));
  assert.equal(second.Version, '2');
});

test('an update that publishes answers the version by its own ARN, still Pending', async (t) => {
  const lambda = (await startFrontend(t)).client();
  await createActive(lambda);
  const input = { FunctionName, ImageUri: 'localhost:5000/hello:2', Publish: true };
  const updated = await lambda.send(new UpdateFunctionCodeCommand(input));
  assert.equal(updated.FunctionArn, `${arn}:1`);
  assert.equal(updated.Version, '1');
  assert.equal(updated.State, 'Pending');
  assert.equal(updated.LastUpdateStatus, undefined);
  await waitUntilPublishedVersionActive(waiter(lambda), { FunctionName, Qualifier: '1' });
});

test('deleting a version that is not there is answered as done', async (t) => {
  const lambda = (await startFrontend(t)).client();
  await createActive(lambda);
  const done = await lambda.send(new DeleteFunctionCommand({ FunctionName, Qualifier: '1221' }));
  assert.equal(done.$metadata.httpStatusCode, 204);
});

test('an alias takes its provisioned concurrency along', async (t) => {
  const { client, provisioner } = await startFrontend(t);
  const lambda = client();
  await createActive(lambda);
  await lambda.send(new PublishVersionCommand({ FunctionName }));
  const alias = { FunctionName, Name: 'live' };
  await lambda.send(new CreateAliasCommand({ ...alias, FunctionVersion: '1' }));
  const provisioned = { FunctionName, Qualifier: 'live', ProvisionedConcurrentExecutions: 2 };
  await lambda.send(new PutProvisionedConcurrencyConfigCommand(provisioned));
  assert.equal(provisioner.counts.get(`${arn}:1`), 2);
  const deleted = await lambda.send(new DeleteAliasCommand(alias));
  assert.equal(deleted.$metadata.httpStatusCode, 204);
  assert.equal(provisioner.counts.get(`${arn}:1`), 0);
});

test("permissions go by the policy's revision, or that of the function or alias", async (t) => {
  const lambda = (await startFrontend(t)).client();
  await createActive(lambda);
  await lambda.send(new PublishVersionCommand({ FunctionName }));
  await lambda.send(new CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '1' }));
  const { RevisionId } = await lambda.send(new GetAliasCommand({ FunctionName, Name: 'live' }));
  const input = {
    ...{ FunctionName, Qualifier: 'live', Principal: '123456789012' },
    Action: 'lambda:InvokeFunction',
  };
  const add = (StatementId: string, revision: string | undefined) =>
    lambda.send(new AddPermissionCommand({ ...input, StatementId, RevisionId: revision }));
  await add('by-alias', RevisionId);
  const policy = await lambda.send(new GetPolicyCommand({ FunctionName, Qualifier: 'live' }));
  await add('by-policy', policy.RevisionId);
  const { name } = await refusal(add('by-nothing', '00000000-0000-0000-0000-000000000000'));
  assert.equal(name, 'PreconditionFailedException');
});

test('a principal that cannot exist is refused', async (t) => {
  const lambda = (await startFrontend(t)).client();
  await createActive(lambda);
  const add = (StatementId: string, Principal: string) =>
    lambda.send(
      new AddPermissionCommand({
        ...{ FunctionName, StatementId, Principal },
        Action: 'lambda:InvokeFunction',
      }),
    );
  const { name, message } = await refusal(add('s1', 'invalid.nonaws.com'));
  assert.equal(name, 'InvalidParameterValueException');
  assert.match(message, /^The provided principal was invalid\./);
  await add('s2', 's3.amazonaws.com');
  await add('s3', 'alexa-appkit.amazon.com');
});

test('an event configuration may name an outcome without a destination', async (t) => {
  const lambda = (await startFrontend(t)).client();
  await createActive(lambda);
  const DestinationConfig = { OnSuccess: {} };
  const put = await lambda.send(
    new PutFunctionEventInvokeConfigCommand({ FunctionName, DestinationConfig }),
  );
  assert.deepEqual(put.DestinationConfig, { OnSuccess: {}, OnFailure: {} });
  const nothing = lambda.send(new PutFunctionEventInvokeConfigCommand({ FunctionName }));
  assert.equal((await refusal(nothing)).name, 'InvalidParameterValueException');
});

test('the mode of a function URL is shown where it was chosen', async (t) => {
  const lambda = (await startFrontend(t)).client();
  await createActive(lambda);
  const url = await lambda.send(
    new CreateFunctionUrlConfigCommand({ FunctionName, AuthType: 'NONE' }),
  );
  assert.equal(url.InvokeMode, undefined);
});

test('recursion and runtime management are kept for the tools that read them back', async (t) => {
  const lambda = (await startFrontend(t)).client();
  await createActive(lambda);
  const recursion = () => lambda.send(new GetFunctionRecursionConfigCommand({ FunctionName }));
  assert.equal((await recursion()).RecursiveLoop, 'Terminate');
  const allow = { FunctionName, RecursiveLoop: 'Allow' as const };
  await lambda.send(new PutFunctionRecursionConfigCommand(allow));
  assert.equal((await recursion()).RecursiveLoop, 'Allow');
  const wrong = { FunctionName, RecursiveLoop: 'InvalidValue' as 'Allow' };
  const { message } = await refusal(lambda.send(new PutFunctionRecursionConfigCommand(wrong)));
  assert.equal(
    message,
    "1 validation error detected: Value 'InvalidValue' at 'recursiveLoop' failed to satisfy " +
      'constraint: Member must satisfy enum value set: [Terminate, Allow]',
  );
  const RuntimeVersionArn = `arn:aws:lambda:${REGION}::runtime:${'a'.repeat(64)}`;
  const manual = { FunctionName, UpdateRuntimeOn: 'Manual' as const };
  const lacks = lambda.send(new PutRuntimeManagementConfigCommand(manual));
  assert.equal((await refusal(lacks)).name, 'InvalidParameterValueException');
  await lambda.send(new PutRuntimeManagementConfigCommand({ ...manual, RuntimeVersionArn }));
  const kept = await lambda.send(new GetRuntimeManagementConfigCommand({ FunctionName }));
  assert.equal(kept.UpdateRuntimeOn, 'Manual');
  assert.equal(kept.RuntimeVersionArn, RuntimeVersionArn);
});

test('zip functions name their runtime version; runtimes without a base are refused truthfully', async (t) => {
  const lambda = (await startFrontend(t)).client();
  const input = { Role: ROLE, Handler: 'index.handler', Code: { ZipFile: makeZip({ a: 'b' }) } };
  const made = (name: string, Runtime: string) =>
    lambda.send(
      new CreateFunctionCommand({ ...input, FunctionName: name, Runtime: Runtime as 'java21' }),
    );
  const created = await made('f', 'nodejs24.x');
  const version = created.RuntimeVersionConfig?.RuntimeVersionArn ?? '';
  assert.match(version, new RegExp(`^arn:aws:lambda:${REGION}::runtime:[0-9a-f]{64}$`));
  assert.match(
    (await refusal(made('j', 'java21'))).message,
    /^This region has no java21 base: its operator can name one with the setting runtime\.java21/,
  );
  assert.match(
    (await refusal(made('p', 'provided'))).message,
    /^The runtime parameter of provided is no longer supported/,
  );
  const empty = { ...input, FunctionName: 'e', Runtime: 'nodejs24.x' as const };
  const nothing = lambda.send(
    new CreateFunctionCommand({ ...empty, Code: { ZipFile: new Uint8Array() } }),
  );
  assert.equal((await refusal(nothing)).message, 'Uploaded file must be a non-empty zip');
});

test('zip code for a processor that the region has not is refused at create and update', async (t) => {
  const lambda = (await startFrontend(t)).client();
  const Code = { ZipFile: makeZip({ a: 'b' }) };
  const input = { Role: ROLE, Handler: 'index.handler', Runtime: 'python3.13' as const };
  const made = (Architectures?: ['arm64']) =>
    lambda.send(new CreateFunctionCommand({ ...input, FunctionName: 'f', Code, Architectures }));
  const message = 'The architecture arm64 is not supported: this region runs python3.13 on x86_64.';
  assert.deepEqual(await refusal(made(['arm64'])), {
    ...{ name: 'InvalidParameterValueException', status: 400, message },
  });
  await made();
  await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 600 }, { FunctionName: 'f' });
  const change = { FunctionName: 'f', ...Code, Architectures: ['arm64' as const] };
  const updated = lambda.send(new UpdateFunctionCodeCommand(change));
  assert.equal((await refusal(updated)).message, message);
});

test('what is kept for an alias or a version goes with it, so that no record grows for ever', async (t) => {
  const { client, store } = await startFrontend(t);
  const lambda = client();
  await createActive(lambda);
  await lambda.send(new PublishVersionCommand({ FunctionName }));
  await lambda.send(new CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '1' }));
  for (const Qualifier of ['live', '1']) {
    const UpdateRuntimeOn = 'FunctionUpdate';
    const input = { FunctionName, Qualifier, UpdateRuntimeOn } as const;
    await lambda.send(new PutRuntimeManagementConfigCommand(input));
  }
  await lambda.send(new DeleteAliasCommand({ FunctionName, Name: 'live' }));
  await lambda.send(new DeleteFunctionCommand({ FunctionName, Qualifier: '1' }));
  const record = await store.read({ accountId: '000000000000', name: FunctionName });
  assert.deepEqual(record?.runtimeManagement, {});
});
