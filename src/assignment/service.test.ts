import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isSluiceError, SluiceError } from '../base/mod.ts';
import { eventually, region, templateOf } from './service-fixture.ts';
import { UsageLedger } from './usage.ts';

describe('the assignment service', () => {
  test('starts a sandbox once and lends it again', async (t) => {
    const { host, invoke } = region(t);
    const cold = await invoke();
    assert.equal(cold.timings.coldStart, true);
    assert.equal(cold.timings.initMs, 3);
    assert.ok(cold.timings.leaseMs >= host.startMs - 1);
    const warm = await invoke();
    assert.equal(warm.timings.coldStart, false);
    assert.equal(warm.timings.initMs, 0);
    assert.equal(warm.executedVersion, '$LATEST');
    assert.match(warm.payload.toString(), /^f:2:/);
    assert.equal(host.starts, 1);
  });

  test('counts what functions use', async (t) => {
    const usage = new UsageLedger();
    const { invoke } = region(t, { usage });
    await invoke();
    await invoke();
    const [used] = usage.usage('000000000000');
    assert.deepEqual([used?.invocations, used?.coldStarts, used?.billedMs], [2, 1, 10]);
    assert.equal(used?.gbMs, 10 / 8);
  });

  test('200 parallel callers never pass a reservation, not by one', async (t) => {
    const limits = { account: 1000, reservedTotal: 7, reserved: 7 };
    const { host, invoke } = region(t, { concurrency: { of: () => limits } });
    const settled = await Promise.allSettled(Array.from({ length: 200 }, () => invoke()));
    const ok = settled.filter((each) => each.status === 'fulfilled').length;
    assert.equal(ok, 7);
    for (const each of settled) {
      if (each.status === 'fulfilled') continue;
      assert.ok(isSluiceError(each.reason, 'CONCURRENCY_LIMIT_EXCEEDED'));
      assert.equal(each.reason.data['reason'], 'ReservedFunctionConcurrentInvocationLimitExceeded');
    }
    assert.ok(host.mostAtWork <= 7);
  });

  test('100 parallel first invokes are all answered, by at most as many sandboxes', async (t) => {
    const { host, invoke } = region(t, { limits: { startsPerRegion: 10, startsPerAccount: 10 } });
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => invoke()));
    assert.equal(new Set(outcomes.map((each) => each.payload.toString().split(':')[1])).size, 100);
    assert.ok(host.starts <= 100);
  });

  test('100 parallel first invokes are answered also by a worker that starts 8 at once', async (t) => {
    const { host, invoke } = region(t);
    host.startsAtOnce = 8;
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => invoke()));
    assert.equal(outcomes.length, 100);
    assert.ok(host.up <= 100);
  });

  test('a start that fails by our fault fails one invoke, and the next starts anew', async (t) => {
    const { host, invoke } = region(t);
    host.fail = (n) => (n === 0 ? new Error('no memory') : undefined);
    await assert.rejects(invoke(), (error) => isSluiceError(error, 'SANDBOX_START_FAILED'));
    assert.equal((await invoke()).status, 'ok');
  });

  test('a sandbox that dies while idle is not lent', async (t) => {
    const { host, service, invoke } = region(t);
    await invoke();
    await eventually(() => service.stats().idle === 1);
    host.kill[0]?.();
    await eventually(() => service.stats().sandboxes === 0);
    assert.equal((await invoke()).timings.coldStart, true);
  });

  test('an invoke whose caller has gone waits no longer', async (t) => {
    const { host, service, invoke } = region(t);
    host.startMs = 50;
    const controller = new AbortController();
    const waiting = invoke({ signal: controller.signal });
    controller.abort(new SluiceError('CANCELLED', 'the caller has gone'));
    await assert.rejects(waiting, (error) => isSluiceError(error, 'CANCELLED'));
    assert.equal(service.stats().inFlight, 0);
  });

  test('an idle sandbox is stopped after its time', async (t) => {
    const { host, invoke } = region(t, { limits: { idleMs: 30 } });
    await invoke();
    await eventually(() => host.up === 0);
  });

  test('a new revision gets a sandbox of its own, and a drain ends the old', async (t) => {
    const { host, service, invoke } = region(t);
    await invoke();
    const changed = await invoke({ template: templateOf('f', { revision: '2' }) });
    assert.equal(changed.timings.coldStart, true);
    await eventually(() => service.stats().idle === 2);
    await service.drainVersion(`${templateOf('f').functionArn}:$LATEST`);
    assert.equal(host.up, 0);
  });

  test('close refuses new invokes, lets running ones end, and stops what starts', async (t) => {
    const { host, service, invoke } = region(t);
    await invoke();
    host.runMs = 30;
    const running = invoke();
    const closing = service.close(1000);
    await assert.rejects(invoke(), (error) => isSluiceError(error, 'OVERLOADED'));
    assert.equal((await running).status, 'ok');
    await closing;
    assert.equal(host.up, 0);
  });
});
