import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  DeleteFunctionCommand,
  PublishVersionCommand,
  PutProvisionedConcurrencyConfigCommand,
} from '@aws-sdk/client-lambda';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { until } from '../../test/support/until.ts';
import { isSluiceError, systemClock, systemRandom } from '../base/mod.ts';
import {
  type FunctionStore,
  MemoryEventSourceMappings,
  SqliteFunctionStore,
} from '../records/mod.ts';
import { Frontend } from './frontend.ts';
import {
  FakeInstaller,
  FakeInvoker,
  FixedCredentials,
  IMAGE,
  owner,
  REGION,
  ROLE,
  startFrontend,
} from './testing/harness.fixture.ts';
import { create, createActive } from './testing/lambda.fixture.ts';
import { call } from './testing/raw-http.fixture.ts';

function frontendOn(store: SqliteFunctionStore, installer: FakeInstaller): Frontend {
  return new Frontend({
    ...{ region: REGION, store, installer, invoker: new FakeInvoker() },
    credentials: new FixedCredentials(owner),
    eventSources: { mappings: new MemoryEventSourceMappings() },
    ...{ clock: systemClock, random: systemRandom },
  });
}

function openStore(t: TestContext, directory: string): SqliteFunctionStore {
  const store = SqliteFunctionStore.open(join(directory, 'functions.db'));
  t.after(() => store.close());
  return store;
}

function untilActive(store: FunctionStore): Promise<void> {
  const key = { accountId: owner.accountId, name: 'f' };
  const state = async () => (await store.read(key))?.latest.state;
  return until('the function is active', async () => (await state()) === 'Active');
}

test('a create that was cut off by the end of the process is finished by the next one', async (t) => {
  const directory = temporaryDirectory(t);
  const stuck = new FakeInstaller();
  stuck.gate = new Promise(() => {});
  const firstStore = openStore(t, directory);
  const first = frontendOn(firstStore, stuck);
  const { port } = await first.start('127.0.0.1', 0);
  const body = JSON.stringify({
    ...{ FunctionName: 'f', Role: ROLE, PackageType: 'Image', Code: { ImageUri: IMAGE } },
  });
  const created = await call(port, { method: 'POST', path: '/2015-03-31/functions', body });
  assert.equal(JSON.parse(created.body).State, 'Pending');
  await first.close(100);
  await firstStore.close();

  const secondStore = openStore(t, directory);
  const second = frontendOn(secondStore, new FakeInstaller());
  t.after(() => second.close(100));
  const key = { accountId: owner.accountId, name: 'f' };
  assert.equal((await secondStore.read(key))?.latest.state, 'Pending');
  await second.start('127.0.0.1', 0);
  await untilActive(secondStore);
});

test('closing lets a running invoke end, and takes no new ones', async (t) => {
  const { frontend, port, invoker, client } = await startFrontend(t);
  const lambda = client();
  await createActive(lambda);
  let finish = () => {};
  const started = new Promise<void>((resolve) => {
    invoker.answer = async (request) => {
      resolve();
      await new Promise<void>((done) => {
        finish = done;
      });
      return { status: 'ok', payload: request.payload, executedVersion: '$LATEST' };
    };
  });
  const path = '/2015-03-31/functions/f/invocations';
  const running = call(port, { method: 'POST', path, body: '{}' });
  await started;
  const closing = frontend.close(5000);
  await assert.rejects(call(port, { method: 'POST', path, body: '{}' }));
  finish();
  assert.equal((await running).status, 200);
  await closing;
});

test('an invoke that outlasts the grace is aborted', async (t) => {
  const { frontend, port, invoker, store } = await startFrontend(t);
  const body = JSON.stringify({
    ...{ FunctionName: 'f', Role: ROLE, PackageType: 'Image', Code: { ImageUri: IMAGE } },
  });
  await call(port, { method: 'POST', path: '/2015-03-31/functions', body });
  await untilActive(store);
  const aborted = new Promise<unknown>((resolve) => {
    invoker.answer = (request) =>
      new Promise((_, reject) => {
        request.signal.addEventListener('abort', () => {
          resolve(request.signal.reason);
          reject(request.signal.reason);
        });
      });
  });
  const path = '/2015-03-31/functions/f/invocations';
  const running = call(port, { method: 'POST', path, body: '{}' }).catch(() => undefined);
  await until('the invoke runs', () => invoker.requests.length > 0);
  await frontend.close(20);
  assert.ok(isSluiceError(await aborted, 'CANCELLED'));
  await running;
});

test('a port in use is named', async (t) => {
  const { port } = await startFrontend(t);
  const store = openStore(t, temporaryDirectory(t));
  const second = frontendOn(store, new FakeInstaller());
  await assert.rejects(second.start('127.0.0.1', port), (error) => {
    return isSluiceError(error, 'PORT_IN_USE') && error.message.includes(String(port));
  });
});

test('a function deleted while it installs is gone, and its successor is its own', async (t) => {
  const { client, installer, store } = await startFrontend(t);
  const lambda = client();
  const aborted: boolean[] = [];
  const install = installer.install.bind(installer);
  installer.install = (request, signal) => {
    signal.addEventListener('abort', () => aborted.push(true));
    return install(request, signal);
  };
  let open = () => {};
  installer.gate = new Promise((resolve) => {
    open = resolve;
  });
  await create(lambda);
  await until('the install runs', () => installer.requests.length > 0);
  await lambda.send(new DeleteFunctionCommand({ FunctionName: 'f' }));
  assert.deepEqual(aborted, [true]);
  const second = await create(lambda, { Description: 'second' });
  open();
  await untilActive(store);
  const { latest } = (await store.read({ accountId: owner.accountId, name: 'f' }))!;
  assert.equal(latest.configuration.description, 'second');
  assert.notEqual(latest.revisionId, second.RevisionId, 'activated once, by its own install');
});

test('provisioned concurrency is asked for again after a restart', async (t) => {
  const { client, store, provisioner } = await startFrontend(t);
  const lambda = client();
  await createActive(lambda);
  await lambda.send(new PublishVersionCommand({ FunctionName: 'f' }));
  await lambda.send(
    new PutProvisionedConcurrencyConfigCommand({
      ...{ FunctionName: 'f', Qualifier: '1', ProvisionedConcurrentExecutions: 4 },
    }),
  );
  const next = await startFrontend(t, { store });
  assert.deepEqual([...next.provisioner.counts], [...provisioner.counts]);
  assert.deepEqual([...next.provisioner.counts.values()], [4]);
});
