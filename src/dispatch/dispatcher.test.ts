import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AcquireRequest, Lease, LeaseOutcome, LeaseRef } from '../assignment/mod.ts';
import { isSluiceError, limits, SluiceError, VirtualClock } from '../base/mod.ts';
import type { FunctionVersion } from '../records/mod.ts';
import { sampleCode, sampleConfiguration } from '../records/samples.fixture.ts';
import type { InvokeOutcome } from '../worker/mod.ts';
import { Dispatcher, type WorkerClient } from './dispatcher.ts';
import type { InvokeCall } from './invoker.ts';
import { UsageLedger } from './usage.ts';
import { VersionBook } from './version-book.ts';

const accountId = '000000000000';
const version: FunctionVersion = {
  accountId,
  functionName: 'f',
  version: '$LATEST',
  arn: `arn:aws:lambda:us-east-1:${accountId}:function:f:$LATEST`,
  servingId: 'r1',
  configuration: { ...sampleConfiguration, memoryMb: 1024 },
  code: sampleCode,
};

const call: InvokeCall = {
  version,
  allowance: { account: 10, reservedTotal: 0 },
  invocation: {
    requestId: 'r-1',
    payload: Buffer.from('{}'),
    invokedFunctionArn: version.arn,
    logTail: false,
  },
  signal: new AbortController().signal,
};

const outcome: InvokeOutcome = {
  status: 'ok',
  payload: Buffer.from('1'),
  executedVersion: '$LATEST',
  durationMs: 10.5,
};

const start = { deviceMs: 1, sandboxMs: 2, initMs: 3, bytesFetched: 4 };
const refusal = (verdict: string) =>
  new SluiceError('LEASE_REFUSED', 'sb: refused', { data: { verdict } });

/** A leader that always has a lease, and workers that do what a test says, one answer an event. */
function bench(answers: (InvokeOutcome | Error)[]) {
  const clock = new VirtualClock();
  const asked: AcquireRequest[] = [];
  const released: [number, LeaseOutcome][] = [];
  const sent: [string, unknown][] = [];
  const usage = new UsageLedger();
  const worker: WorkerClient = {
    invoke: async (lease, invocation) => {
      sent.push([lease.sandboxId, invocation]);
      const answer = answers.shift() ?? outcome;
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
  const workers = new Map([['w1', worker]]);
  const leases = {
    acquire: async (request: AcquireRequest): Promise<Lease> => {
      asked.push(request);
      const leaseId = asked.length;
      await clock.sleep(1000);
      // As it would arrive from a leader elsewhere.
      return JSON.parse(
        JSON.stringify({
          ...{ leaseId, term: 1, workerId: leaseId > 8 ? 'w9' : 'w1', workerAddress: '' },
          ...{ sandboxId: `sb-${leaseId}`, version: request.version, coldStart: false },
          pool: 'unreserved',
        }),
      ) as Lease;
    },
    release: ({ leaseId }: LeaseRef, how: LeaseOutcome) => void released.push([leaseId, how]),
  };
  const dispatcher = new Dispatcher({
    leases,
    workers: { find: (workerId) => workers.get(workerId) },
    versions: new VersionBook('us-east-1', {
      read: async () => undefined,
      readVersion: async () => undefined,
    }),
    clock,
    usage,
  });
  return { clock, dispatcher, leases, workers, asked, released, sent, usage };
}

describe('an event', () => {
  test('goes with its lease to the worker, unchanged', async () => {
    const { clock, dispatcher, sent, asked, released, usage } = bench([{ ...outcome, start }]);
    const got = await clock.until(dispatcher.invoke(call));
    assert.equal(got.payload.toString(), '1');
    assert.deepEqual(sent, [['sb-1', call.invocation]]);
    assert.equal(sent[0]?.[1], call.invocation, 'the same object, not another coat');
    assert.equal(JSON.stringify(asked).includes('payload'), false);
    assert.deepEqual(released, [], 'the worker tells the leader of its end');
    const [used] = usage.usage(accountId);
    assert.deepEqual([used?.invocations, used?.coldStarts, used?.billedMs], [1, 1, 11]);
    assert.equal(used?.gbMs, 11);
  });

  test('that its worker did not take goes elsewhere, and the leader hears why', async () => {
    const { clock, dispatcher, released, sent, asked } = bench([refusal('busy'), refusal('gone')]);
    const got = await clock.until(dispatcher.invoke(call));
    assert.equal(got.status, 'ok');
    assert.deepEqual(released, [
      [1, 'busy'],
      [2, 'gone'],
    ]);
    assert.deepEqual(
      sent.map(([sandboxId]) => sandboxId),
      ['sb-1', 'sb-2', 'sb-3'],
    );
    const { waitMs } = limits.assignment;
    assert.deepEqual(
      asked.map(({ patienceMs }) => patienceMs),
      [undefined, waitMs - 1000, waitMs - 2000],
      'however often it asks, it waits no longer in all',
    );
  });

  test('that no worker takes is given up after a few leases', async () => {
    const busy = Array.from({ length: 9 }, () => refusal('busy'));
    const { clock, dispatcher, sent } = bench(busy);
    await assert.rejects(clock.until(dispatcher.invoke(call)), (error) =>
      isSluiceError(error, 'OVERLOADED'),
    );
    assert.equal(sent.length, limits.dispatch.attempts);
  });

  test('whose worker is not known has not run, and goes elsewhere', async () => {
    const { clock, dispatcher, workers, released } = bench([]);
    const worker = workers.get('w1');
    workers.clear();
    const answered = dispatcher.invoke(call);
    await clock.advance(1500);
    assert.deepEqual(released, [[1, 'gone']]);
    if (worker) workers.set('w1', worker);
    assert.equal((await clock.until(answered)).status, 'ok');
  });

  test('whose worker had it and was lost is not sent again, and the error says so', async () => {
    const { clock, dispatcher, sent } = bench([new Error('connection reset')]);
    await assert.rejects(clock.until(dispatcher.invoke(call)), (error) => {
      assert.ok(isSluiceError(error, 'INVOKE_LOST'));
      assert.match(error.message, /may have run/);
      assert.equal(error.data['sandboxId'], 'sb-1');
      return true;
    });
    assert.equal(sent.length, 1);
  });

  test('that is refused counts as throttled', async () => {
    const { dispatcher, leases, usage } = bench([]);
    leases.acquire = () => Promise.reject(new SluiceError('CONCURRENCY_LIMIT_EXCEEDED', 'full'));
    await assert.rejects(dispatcher.invoke(call), (error) =>
      isSluiceError(error, 'CONCURRENCY_LIMIT_EXCEEDED'),
    );
    assert.equal(usage.usage(accountId)[0]?.throttles, 1);
  });

  test('of a tenant asks for a sandbox of that tenant only', async () => {
    const { clock, dispatcher, asked } = bench([]);
    for (const tenantId of ['blue', 'green', undefined]) {
      const invocation = { ...call.invocation, tenantId };
      await clock.until(dispatcher.invoke({ ...call, invocation }));
    }
    const keys = asked.map((each) => each.version.key);
    assert.equal(new Set(keys).size, 3, 'the leader lends by this key');
    assert.deepEqual(
      asked.map((each) => each.version.tenantId),
      ['blue', 'green', undefined],
    );
  });
});
