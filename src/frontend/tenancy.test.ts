import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CreateEventSourceMappingCommand,
  CreateFunctionUrlConfigCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  type InvokeCommandInput,
} from '@aws-sdk/client-lambda';
import { QUEUE, startFrontend } from './testing/harness.fixture.ts';
import { createActive, refusal } from './testing/lambda.fixture.ts';

const FunctionName = 'f';
const TenancyConfig = { TenantIsolationMode: 'PER_TENANT' as const };

test('a function that keeps tenants apart shows it, and each invoke has to name a tenant', async (t) => {
  const { client, invoker, events } = await startFrontend(t);
  const lambda = client();
  await createActive(lambda, { TenancyConfig });
  const shown = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
  assert.deepEqual(shown.TenancyConfig, TenancyConfig);
  const invoke = (input: Partial<InvokeCommandInput>) =>
    lambda.send(new InvokeCommand({ FunctionName, ...input }));
  await invoke({ TenantId: 'blue' });
  assert.equal(invoker.requests.at(-1)?.tenantId, 'blue');
  await invoke({ TenantId: 'green', InvocationType: 'Event' });
  assert.equal(events.events.at(-1)?.tenantId, 'green');
  const { name, message } = await refusal(invoke({}));
  assert.equal(name, 'InvalidParameterValueException');
  assert.match(message, /Add a valid tenant ID in your request/);
  const { name: wrong } = await refusal(invoke({ TenantId: '{}' }));
  assert.equal(wrong, 'ValidationException');
});

test('a tenant is refused where the function keeps none apart', async (t) => {
  const lambda = (await startFrontend(t)).client();
  await createActive(lambda);
  const named = lambda.send(new InvokeCommand({ FunctionName, TenantId: 'blue' }));
  assert.match((await refusal(named)).message, /Remove the tenant ID from your request/);
});

test('nothing that invokes without a tenant can be set up for such a function', async (t) => {
  const lambda = (await startFrontend(t)).client();
  await createActive(lambda, { TenancyConfig });
  const url = new CreateFunctionUrlConfigCommand({ FunctionName, AuthType: 'NONE' });
  const mapping = new CreateEventSourceMappingCommand({ FunctionName, EventSourceArn: QUEUE });
  for (const asked of [lambda.send(url), lambda.send(mapping)]) {
    assert.match((await refusal(asked)).message, /is not supported for functions with tenancy/);
  }
});
