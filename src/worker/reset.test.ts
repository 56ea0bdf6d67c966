import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { limits, noLogger, SluiceError, systemClock } from '../base/mod.ts';
import { RuntimeSeat } from './runtime-seat.ts';
import { bench, exitOf, type FakeSandbox, invokeOf, textOf, timed } from './worker.fixture.ts';

/** Its first runtime ends at its first event; those after it do not. */
function crashing(sandboxes: readonly FakeSandbox[]): void {
  sandboxes[0]!.handler = () => {
    setImmediate(() => sandboxes[0]!.exit(exitOf(1)));
    return new Promise(() => {});
  };
}

describe('after a reset', () => {
  test('the next invoke starts the runtime again on what remained, as part of its time', async (t) => {
    let starts = 0;
    const onStart = (sandbox: FakeSandbox) => {
      if (++starts === 1) sandbox.initDone();
      else clock.setTimer(50, () => sandbox.initDone());
    };
    const { start, sandboxes, devices, remains, clock, within } = timed(t, onStart);
    const hosted = await within(start());
    sandboxes[0]!.handler = () => new Promise(() => {});
    const first = hosted.invoke(invokeOf());
    assert.equal(textOf((await within(first.answer)).payload)['errorType'], 'Sandbox.Timedout');
    assert.equal(await within(first.settled), true);
    assert.equal(sandboxes.length, 1, 'nothing runs until it is needed');
    assert.equal(remains.size, 1);
    const second = hosted.invoke(invokeOf({ requestId: 'r-2' }));
    const { status, durationMs, start: timings } = await within(second.answer);
    assert.deepEqual([status, durationMs, timings], ['ok', 50, undefined]);
    assert.equal(await within(second.settled), true);
    assert.equal(remains.size, 0, 'the second start took them');
    assert.deepEqual(devices, { opened: 1, closed: 0 });
  });

  test('it can be stopped, and leaves nothing', async (t) => {
    const { start, sandboxes, remains, devices } = bench(t);
    const hosted = await start();
    crashing(sandboxes);
    await hosted.invoke(invokeOf()).settled;
    assert.equal(remains.size, 1);
    await hosted.stop();
    assert.deepEqual([remains.size, devices.closed], [0, 1]);
  });

  test('one that is stopped meanwhile answers, and serves no more', async (t) => {
    const { start, sandboxes, remains } = bench(t);
    const hosted = await start();
    crashing(sandboxes);
    const reset = Promise.withResolvers<void>();
    const resetAnyway = sandboxes[0]!.reset.bind(sandboxes[0]);
    sandboxes[0]!.reset = async () => {
      await reset.promise;
      return resetAnyway();
    };
    const { answer, settled } = hosted.invoke(invokeOf());
    await sandboxes[0]!.ended;
    const stopped = hosted.stop();
    reset.resolve();
    assert.equal(textOf((await answer).payload)['errorType'], 'Runtime.ExitError');
    assert.equal(await settled, false);
    await stopped;
    assert.equal(remains.size, 0);
  });

  test('a runtime that does not come up again is the end, and our failure', async (t) => {
    const { start, sandboxes, worker } = bench(t, (sandbox) => {
      if (sandboxes.length > 1) throw new SluiceError('SANDBOX_START_FAILED', 'sb-1: no room');
      sandbox.initDone();
    });
    const hosted = await start();
    crashing(sandboxes);
    await hosted.invoke(invokeOf()).settled;
    const { answer, settled } = hosted.invoke(invokeOf());
    await assert.rejects(answer, { code: 'SANDBOX_START_FAILED' });
    assert.equal(await settled, false);
    await hosted.ended;
    await hosted.stop();
    assert.equal(worker.sandboxes, 0);
  });

  test('processes that do not end are the end, and said', async (t) => {
    const { start, sandboxes } = bench(t);
    const hosted = await start();
    crashing(sandboxes);
    sandboxes[0]!.reset = () => Promise.reject(new SluiceError('DEADLINE_EXCEEDED', 'sb-1: stays'));
    const { answer, settled } = hosted.invoke(invokeOf());
    assert.equal((await answer).status, 'function-error');
    assert.equal(await settled, false);
    await hosted.ended;
  });

  test('an init that runs out of time again resets it again', async (t) => {
    const { start, within, sandboxes } = timed(t, () => {}, { initTimeoutMs: 30 });
    const hosted = await within(start());
    for (const requestId of ['r-1', 'r-2']) {
      const { answer, settled } = hosted.invoke(invokeOf({ requestId }));
      assert.equal(textOf((await within(answer)).payload)['errorType'], 'Sandbox.Timedout');
      assert.equal(await within(settled), true);
    }
    assert.deepEqual(
      sandboxes.map(({ stops }) => stops),
      [1, 1, 1],
    );
  });

  test('one account’s restarts wait in line, each in its own time, and keep what remained', async (t) => {
    const most = limits.worker.restartsAtOncePerAccount;
    let starts = 0;
    const onStart = (sandbox: FakeSandbox) => {
      sandbox.handler = () => new Promise(() => {});
      if (++starts <= most + 1) sandbox.initDone();
    };
    const { start, sandboxes, remains, clock, within } = timed(t, onStart);
    const ids = Array.from({ length: most + 1 }, (_, index) => `sb-${index}`);
    const hosted = await within(Promise.all(ids.map((id) => start(id))));
    const hang = () => Promise.all(hosted.map((each) => each.invoke(invokeOf()).settled));
    assert.ok((await within(hang())).every(Boolean));
    assert.equal(remains.size, most + 1);
    const again = hang();
    await within(clock.sleep(100));
    assert.equal(sandboxes.length, 2 * most + 1, 'one waits');
    assert.ok((await within(again)).every(Boolean), 'the one that had no time left, too');
    assert.equal(remains.size, most + 1);
  });

  test('one that was not started again for want of time keeps what remained', async () => {
    let discarded = 0;
    const seat = new RuntimeSeat({
      run: undefined,
      remains: { isolation: 'fake', discard: async () => void discarded++ },
      restart: () => assert.fail('it waits in line'),
      onExit: () => {},
      freezeAfterMs: 0,
      clock: systemClock,
      logger: noLogger,
    });
    assert.equal(await seat.reset('timeout'), true);
    assert.equal(discarded, 0);
    await seat.end('spindown');
    assert.equal(discarded, 1);
    assert.equal(await seat.reset('timeout'), false);
  });
});
