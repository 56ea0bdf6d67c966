import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noLogger, SluiceError } from '../base/mod.ts';
import { versionNamed } from './service.fixture.ts';
import type { WorkerControl } from './types.ts';
import { WorkerOrders } from './worker-orders.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Orders to one worker whose starts and stops end when a test says, and what is told of them. */
function bench() {
  const told: string[] = [];
  const orders = new WorkerOrders(noLogger, {
    ready: (sandboxId, initFailed) => told.push(`${sandboxId} ready ${initFailed}`),
    died: (sandboxId, error) => told.push(`${sandboxId} died ${error?.code}`),
  });
  const start = Promise.withResolvers<{ initFailed: boolean }>();
  const stop = Promise.withResolvers<void>();
  const asked: string[] = [];
  const worker: WorkerControl = {
    ...{ workerId: 'w', address: '' },
    start: ({ sandboxId }, signal) => {
      asked.push(`start ${sandboxId}`);
      signal.addEventListener('abort', () => asked.push(`abort ${sandboxId}`));
      return start.promise;
    },
    stop: (sandboxId) => {
      asked.push(`stop ${sandboxId}`);
      return stop.promise;
    },
  };
  orders.join(worker);
  const begin = (workerId = 'w') =>
    orders.start(workerId, {
      ...{ sandboxId: 's', version: versionNamed('f'), term: 1 },
      initializationType: 'on-demand',
    });
  return { orders, told, asked, start, stop, begin };
}

test('a start is told when it is up, and how its init went', async () => {
  const { told, start, begin } = bench();
  begin();
  await turn();
  assert.deepEqual(told, []);
  start.resolve({ initFailed: true });
  await turn();
  assert.deepEqual(told, ['s ready true']);
});

test('a start that fails is told with its error; one without a worker is ours', async () => {
  const { told, start, begin } = bench();
  begin();
  begin('unknown');
  start.reject(new SluiceError('START_LIMIT_EXCEEDED', 'enough'));
  await turn();
  assert.deepEqual(told.sort(), ['s died SANDBOX_START_FAILED', 's died START_LIMIT_EXCEEDED']);
});

test('a sandbox that is stopped amid its start is told once, when nothing of it is left', async () => {
  for (const end of ['resolve', 'reject'] as const) {
    const { orders, told, asked, start, stop, begin } = bench();
    begin();
    orders.stop('w', 's');
    await turn();
    assert.deepEqual(asked, ['start s', 'abort s'], 'the worker is done with one thing first');
    if (end === 'resolve') start.resolve({ initFailed: false });
    else start.reject(new Error('aborted'));
    await turn();
    assert.deepEqual([asked.at(-1), told], ['stop s', []]);
    let stopped = false;
    const waiting = orders.stopped().then(() => {
      stopped = true;
    });
    await turn();
    assert.equal(stopped, false);
    stop.resolve();
    await waiting;
    assert.deepEqual(told, ['s died undefined']);
  }
});

test('a stop that fails is told all the same: its sandbox is not lent again', async () => {
  const { orders, told, stop } = bench();
  orders.stop('w', 's');
  stop.reject(new Error('no such cgroup'));
  await orders.stopped();
  assert.deepEqual(told, ['s died undefined']);
});

test('closing waits for starts whose worker has left, and for stops under way', async () => {
  const { orders, asked, start, stop, begin } = bench();
  begin();
  orders.stop('w', 't');
  orders.leave('w');
  orders.stop('w', 's');
  let closed = false;
  const closing = orders.close().then(() => {
    closed = true;
  });
  stop.resolve();
  await turn();
  assert.deepEqual([closed, asked.sort()], [false, ['abort s', 'start s', 'stop t']]);
  start.reject(new Error('aborted'));
  await closing;
});

test('closing waits for a stop that is under way', async () => {
  const { orders, stop } = bench();
  orders.stop('w', 's');
  let closed = false;
  const closing = orders.close().then(() => {
    closed = true;
  });
  await turn();
  assert.equal(closed, false);
  stop.resolve();
  await closing;
});
