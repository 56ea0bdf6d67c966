import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isSluiceError, SluiceError } from '../base/mod.ts';
import { region, versionNamed } from './service.fixture.ts';
import type { Lease } from './types.ts';

describe('the assignment service', () => {
  test('starts a sandbox once and lends it again', async (t) => {
    const { clock, worker, invoke } = region(t);
    const cold = await clock.until(invoke());
    assert.equal(cold.coldStart, true);
    assert.equal(clock.monotonicMs(), worker.startMs + worker.runMs);
    await clock.advance(1);
    const warm = await clock.until(invoke());
    assert.deepEqual([warm.coldStart, warm.sandboxId], [false, cold.sandboxId]);
    assert.equal(worker.starts, 1);
  });

  test('gives leases that read the same after a journey', async (t) => {
    const { clock, service, invoke } = region(t);
    const lease = await clock.until(invoke());
    const arrived = JSON.parse(JSON.stringify(lease)) as Lease;
    assert.deepEqual(arrived, lease);
    assert.equal(arrived.workerId, 'w1');
    await clock.advance(1);
    const allowance = { account: 1, reservedTotal: 0 };
    const again = await service.acquire({ version: arrived.version, allowance });
    assert.equal(again.sandboxId, lease.sandboxId, 'a version that travelled is the same version');
    service.release(JSON.parse(JSON.stringify(again)) as Lease, 'settled');
    assert.equal(service.stats().idle, 1);
  });

  test('200 parallel callers never pass a reservation, not by one', async (t) => {
    const allowance = { account: 1000, reservedTotal: 7, reserved: 7 };
    const { clock, worker, invoke } = region(t);
    const calls = Array.from({ length: 200 }, () => invoke({ allowance }));
    const settled = await clock.until(Promise.allSettled(calls));
    const ok = settled.filter((each) => each.status === 'fulfilled').length;
    assert.equal(ok, 7);
    for (const each of settled) {
      if (each.status === 'fulfilled') continue;
      assert.ok(isSluiceError(each.reason, 'CONCURRENCY_LIMIT_EXCEEDED'));
      assert.equal(each.reason.data['reason'], 'ReservedFunctionConcurrentInvocationLimitExceeded');
    }
    assert.ok(worker.mostAtWork <= 7);
  });

  test('100 parallel first invokes are all served, by at most as many sandboxes', async (t) => {
    const limits = { startsPerRegion: 10, startsPerAccount: 10 };
    const { clock, worker, invoke } = region(t, { limits });
    const leases = await clock.until(Promise.all(Array.from({ length: 100 }, () => invoke())));
    assert.equal(new Set(leases.map(({ leaseId }) => leaseId)).size, 100);
    assert.ok(worker.starts <= 100);
  });

  test('100 parallel first invokes are served also by a worker that starts 8 at once', async (t) => {
    const { clock, worker, invoke } = region(t);
    worker.startsAtOnce = 8;
    const leases = await clock.until(Promise.all(Array.from({ length: 100 }, () => invoke())));
    assert.equal(leases.length, 100);
    assert.equal(worker.mostStarting, 8);
  });

  test('a start that fails by our fault fails one invoke, and the next tries a new start', async (t) => {
    const { clock, worker, invoke } = region(t);
    worker.fail = (n) => (n === 0 ? new Error('no memory') : undefined);
    await assert.rejects(clock.until(invoke()), (error) =>
      isSluiceError(error, 'SANDBOX_START_FAILED'),
    );
    assert.ok(await clock.until(invoke()));
  });

  test('what a start failed with reaches the caller with its data', async (t) => {
    const { clock, worker, invoke } = region(t);
    const error = new SluiceError('CHUNK_MISSING', 'c-1: is gone', { data: { chunk: 'c-1' } });
    worker.fail = () => error;
    await assert.rejects(clock.until(invoke()), (thrown) => {
      assert.ok(isSluiceError(thrown, 'CHUNK_MISSING'));
      assert.deepEqual([thrown.message, thrown.data], ['c-1: is gone', { chunk: 'c-1' }]);
      return true;
    });
  });

  test('a start that no worker takes is refused as a limit', async (t) => {
    const full = new SluiceError('START_LIMIT_EXCEEDED', 'no worker takes starts');
    const { clock, invoke } = region(t, { placer: { place: () => Promise.reject(full) } });
    await assert.rejects(clock.until(invoke()), (error) =>
      isSluiceError(error, 'START_LIMIT_EXCEEDED'),
    );
  });

  test('a sandbox that dies while idle is not lent', async (t) => {
    const { clock, worker, service, invoke } = region(t);
    const { sandboxId } = await clock.until(invoke());
    await clock.advance(1);
    worker.up.delete(sandboxId);
    service.ended(sandboxId);
    assert.equal(service.stats().sandboxes, 0);
    assert.equal((await clock.until(invoke())).coldStart, true);
  });

  test('a sandbox that its worker no longer has is not lent twice', async (t) => {
    const { clock, service, invoke } = region(t);
    const { sandboxId } = await clock.until(invoke());
    await clock.advance(1);
    const allowance = { account: 1000, reservedTotal: 0 };
    const lease = await service.acquire({ version: versionNamed('f'), allowance });
    assert.equal(lease.sandboxId, sandboxId);
    service.release(lease, 'gone');
    assert.equal(service.stats().inFlight, 0);
    assert.equal((await clock.until(invoke())).coldStart, true);
  });

  test('an invoke whose caller has gone waits no longer', async (t) => {
    const { clock, worker, service, invoke } = region(t);
    worker.startMs = 50;
    const controller = new AbortController();
    const waiting = invoke({}, controller.signal);
    await clock.advance(10);
    controller.abort(new SluiceError('CANCELLED', 'the caller has gone'));
    await assert.rejects(waiting, (error) => isSluiceError(error, 'CANCELLED'));
    assert.equal(service.stats().inFlight, 0);
  });

  test('nobody waits for longer than they said', async (t) => {
    const limits = { startsPerRegion: 1 };
    const { clock, worker, service, invoke } = region(t, { limits });
    worker.startMs = 100;
    const first = invoke();
    const impatient = assert.rejects(invoke({ patienceMs: 50 }), (error) =>
      isSluiceError(error, 'START_LIMIT_EXCEEDED'),
    );
    await clock.until(Promise.all([first, impatient]));
    assert.equal(service.stats().waiting, 0);
  });

  test('whoever waits gets the sandbox that comes before their patience is over', async (t) => {
    const { clock, worker, invoke } = region(t);
    worker.startMs = 100;
    const lease = await clock.until(invoke({ patienceMs: 101 }));
    assert.equal(lease.coldStart, true);
  });

  test('nothing starts on a worker that has left, and what it had is gone', async (t) => {
    const { clock, worker, service, invoke } = region(t);
    const { sandboxId } = await clock.until(invoke());
    await clock.advance(1);
    worker.up.delete(sandboxId);
    service.leave('w1');
    assert.equal(service.stats().sandboxes, 0);
    await assert.rejects(clock.until(invoke()), (error) =>
      isSluiceError(error, 'SANDBOX_START_FAILED'),
    );
    assert.equal(worker.starts, 1);
    service.join(worker);
    assert.equal((await clock.until(invoke())).coldStart, true);
  });

  test('an idle sandbox is stopped after its time', async (t) => {
    const { clock, worker, invoke } = region(t, { limits: { idleMs: 30 } });
    await clock.until(invoke());
    await clock.advance(30);
    assert.equal(worker.up.size, 1);
    await clock.advance(3);
    assert.equal(worker.up.size, 0);
  });

  test('a new revision gets a sandbox of its own, and a drain ends the old', async (t) => {
    const { clock, worker, service, invoke } = region(t);
    await clock.until(invoke());
    const changed = await clock.until(invoke({ version: versionNamed('f', '2') }));
    assert.equal(changed.coldStart, true);
    await clock.advance(1);
    assert.equal(service.stats().idle, 2);
    await clock.until(service.drainVersion(versionNamed('f').versionArn));
    assert.equal(worker.up.size, 0);
  });

  test('says in the API’s words how provisioning failed', async (t) => {
    const { clock, worker, service } = region(t);
    const version = versionNamed('f');
    const status = async () => {
      await service.provision(version, 1);
      const { status: before } = await service.provisioned(version);
      await clock.advance(worker.startMs);
      const { status: after, statusReason } = await service.provisioned(version);
      return [before, after, statusReason];
    };
    worker.initFailed = true;
    assert.deepEqual(await status(), ['IN_PROGRESS', 'FAILED', 'FUNCTION_ERROR_INIT_FAILURE']);
    worker.fail = () => new SluiceError('SANDBOX_START_FAILED', 'no disk');
    assert.deepEqual(await status(), ['IN_PROGRESS', 'FAILED', 'INTERNAL_ERROR']);
    worker.fail = undefined;
    worker.initFailed = false;
    assert.deepEqual(await status(), ['IN_PROGRESS', 'READY', undefined]);
  });

  test('a drained version is no longer provisioned', async (t) => {
    const { clock, worker, service } = region(t);
    const version = versionNamed('f');
    await service.provision(version, 2);
    await clock.advance(worker.startMs);
    assert.equal((await service.provisioned(version)).available, 2);
    await clock.until(service.drainVersion(version.versionArn));
    assert.equal((await service.provisioned(version)).requested, 0);
    assert.equal(worker.up.size, 0);
  });

  test('close refuses new invokes, lets running ones end, and stops what starts', async (t) => {
    const { clock, worker, service, invoke } = region(t);
    await clock.until(invoke());
    await clock.advance(1);
    worker.runMs = 30;
    const running = invoke();
    const closing = service.close(1000);
    await assert.rejects(invoke(), (error) => isSluiceError(error, 'OVERLOADED'));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([worker.atWork, service.stats().inFlight], [1, 1], 'it is left to run');
    await clock.until(Promise.all([running, closing]));
    assert.equal(worker.up.size, 0);
  });

  test('close without a grace stops what runs at once', async (t) => {
    const { clock, worker, service, invoke } = region(t);
    worker.runMs = 1000;
    const running = invoke();
    await clock.advance(10);
    assert.equal(worker.atWork, 1);
    const beforeMs = clock.monotonicMs();
    await clock.until(service.close());
    assert.equal(clock.monotonicMs() - beforeMs, 1, 'as long as the worker takes to stop one');
    assert.equal(worker.up.size, 0);
    await clock.until(running);
  });

  test('close stops a start under way', async (t) => {
    const { clock, worker, service, invoke } = region(t);
    worker.startMs = 10_000;
    const waiting = assert.rejects(invoke(), (error) => isSluiceError(error, 'OVERLOADED'));
    await clock.advance(10);
    await clock.until(Promise.all([service.close(), waiting]), 100);
    assert.deepEqual([worker.starting, worker.up.size], [0, 0]);
  });

  test('a wall clock that is set stops nobody and refuses nobody', async (t) => {
    const { clock, worker, service, invoke } = region(t);
    await clock.until(invoke());
    await clock.advance(1);
    for (const stepMs of [7_200_000, -14_400_000]) {
      clock.stepWall(stepMs);
      assert.equal((await clock.until(invoke())).coldStart, false);
      await clock.advance(1);
    }
    assert.deepEqual([service.stats().idle, worker.starts], [1, 1]);
  });
});
