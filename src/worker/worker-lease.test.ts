import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Lease, versionRef } from '../assignment/mod.ts';
import { isSluiceError } from '../base/mod.ts';
import { bench, invokeOf, leaseOf, version } from './worker.fixture.ts';

const refused = (verdict: string) => (error: unknown) =>
  isSluiceError(error, 'LEASE_REFUSED') && error.data['verdict'] === verdict;

describe('a lease', () => {
  test('that went through JSON is honoured like any other', async (t) => {
    const { worker, start } = bench(t);
    await start();
    const lease = JSON.parse(JSON.stringify(leaseOf('sb-1', 1))) as Lease;
    assert.equal((await worker.invoke(lease, invokeOf())).status, 'ok');
  });

  test('of a sandbox at work is refused, and its event is not seen', async (t) => {
    const { worker, start, sandboxes } = bench(t);
    await start();
    const gate = Promise.withResolvers<void>();
    sandboxes[0]!.handler = async ({ payload }) => {
      await gate.promise;
      return { kind: 'response', body: payload, contentType: '' };
    };
    const first = worker.invoke(leaseOf('sb-1', 1), invokeOf());
    await assert.rejects(worker.invoke(leaseOf('sb-1', 2), invokeOf()), refused('busy'));
    gate.resolve();
    assert.equal((await first).status, 'ok');
    assert.equal(sandboxes[0]!.events.length, 1);
  });

  test('is used once', async (t) => {
    const { worker, start } = bench(t);
    const hosted = await start();
    const { answer, settled } = hosted.invoke(invokeOf());
    await answer;
    await settled;
    await assert.rejects(worker.invoke(leaseOf('sb-1', 1), invokeOf()), refused('superseded'));
  });

  test('of an older leader is refused once a newer one was heard of', async (t) => {
    const { worker, start } = bench(t);
    await start();
    await worker.invoke(leaseOf('sb-1', 1, 7), invokeOf());
    await start('sb-2');
    await assert.rejects(worker.invoke(leaseOf('sb-2', 9, 6), invokeOf()), refused('superseded'));
    assert.equal((await worker.invoke(leaseOf('sb-2', 1, 7), invokeOf())).status, 'ok');
  });

  test('of a sandbox that is gone, or serves another revision, is refused', async (t) => {
    const { worker, start } = bench(t);
    const hosted = await start();
    await assert.rejects(worker.invoke(leaseOf('sb-9', 1), invokeOf()), refused('gone'));
    const other = versionRef({ ...version, revision: '2' });
    const foreign = { ...leaseOf('sb-1', 1), version: other };
    await assert.rejects(worker.invoke(foreign, invokeOf()), refused('gone'));
    const stopped = hosted.stop();
    await assert.rejects(worker.invoke(leaseOf('sb-1', 2), invokeOf()), refused('gone'));
    await stopped;
  });
});

test('a report says what the worker has, and for which lease', async (t) => {
  const { worker, start, sandboxes } = bench(t);
  await start();
  await start('sb-2');
  const gate = Promise.withResolvers<void>();
  sandboxes[1]!.handler = async ({ payload }) => {
    await gate.promise;
    return { kind: 'response', body: payload, contentType: '' };
  };
  const running = worker.invoke(leaseOf('sb-2', 4), invokeOf());
  const { sandboxes: reported, startsUnderWay } = worker.report();
  assert.deepEqual(reported, [
    { sandboxId: 'sb-1', phase: 'idle' },
    { sandboxId: 'sb-2', phase: 'busy', lease: { leaseId: 4, term: 1, pool: 'unreserved' } },
  ]);
  assert.equal(startsUnderWay, 0);
  gate.resolve();
  await running;
});
