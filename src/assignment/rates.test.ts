import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Region, versionOf } from './step-model.fixture.ts';

const f = versionOf('f');

describe('rates', () => {
  test('a function starts no faster than its rate once the burst is used', () => {
    const starts = {
      startsPerAccount: 4,
      startsPerFunctionBurst: 2,
      startsPerFunctionPerSecond: 10,
    };
    const region = new Region(starts);
    for (let i = 0; i < 4; i++) region.invoke(f);
    assert.equal(region.starting.size, 2);
    region.advance(99);
    assert.equal(region.starting.size, 2);
    region.advance(1);
    assert.equal(region.starting.size, 3);
    region.advance(100);
    assert.equal(region.starting.size, 4);
  });

  test('a function whose starts all fail is held to its rate even after it is forgotten', () => {
    const starts = { startsPerFunctionBurst: 2, startsPerFunctionPerSecond: 10 };
    const region = new Region(starts);
    const invokeInVain = () => {
      region.invoke(f);
      for (const sandboxId of [...region.starting.keys()]) region.startFailed(sandboxId);
      assert.equal(region.state.functions.size, 0);
    };
    for (let i = 0; i < 3; i++) invokeInVain();
    assert.deepEqual(region.reasons, ['starts-per-function']);
    region.reload();
    invokeInVain();
    assert.equal(region.reasons.length, 2, 'nor does a snapshot forget');
    region.advance(100);
    invokeInVain();
    assert.equal(region.reasons.length, 2);
  });

  test('what is remembered of forgotten functions is bounded, and dropped once it no longer matters', () => {
    const region = new Region({ ratesKept: 3 });
    for (let n = 0; n < 5; n++) {
      region.invoke(versionOf(`f${n}`));
      for (const sandboxId of [...region.starting.keys()]) region.startFailed(sandboxId);
    }
    assert.deepEqual(
      [...region.state.ratesKept.keys()],
      [2, 3, 4].map((n) => `arn:a1:f${n}`),
    );
    for (let n = 0; n < 25; n++) {
      region.nowMs += 400;
      region.do({ type: 'tick' });
    }
    region.invoke(versionOf('g'));
    assert.equal(region.state.ratesKept.size, 0);
  });

  test('a forgotten function is remembered until its requests of a second have come back', () => {
    const region = new Region({ startsPerFunctionBurst: 2, startsPerFunctionPerSecond: 10 });
    region.invoke(f);
    for (const sandboxId of [...region.starting.keys()]) region.startFailed(sandboxId);
    const remembers = (afterMs: number) => {
      region.nowMs = afterMs;
      region.invoke(versionOf(`g${afterMs}`));
      return region.state.ratesKept.has(f.functionArn);
    };
    assert.deepEqual(
      [remembers(400), remembers(800), remembers(999), remembers(1000)],
      [...[true, true, true, false]],
    );
  });

  test('ten requests a second for each unit of concurrency', () => {
    const region = new Region();
    const view = { account: 10, reservedTotal: 1, reserved: 1 };
    region.invoke(f, view);
    const [sandboxId = ''] = region.starting.keys();
    region.started(sandboxId);
    for (let i = 0; i < 10; i++) {
      const invokeId = [...region.lent.keys()][0];
      if (invokeId === undefined) break;
      region.answered(invokeId);
      region.settled(sandboxId);
      region.invoke(f, view);
    }
    assert.deepEqual(region.reasons, ['ReservedFunctionInvocationRateLimitExceeded']);
  });

  test('memory pressure takes the sandboxes that were idle longest', () => {
    const region = new Region();
    for (const name of ['f', 'g', 'h']) region.invoke(versionOf(name));
    const ids = [...region.starting.keys()];
    for (const sandboxId of ids) region.started(sandboxId);
    for (const [invokeId, sandboxId] of [...region.lent]) {
      region.answered(invokeId);
      region.settled(sandboxId);
    }
    region.do({ type: 'reclaim', count: 2 });
    assert.deepEqual([...region.versionOfSandbox.keys()], ids.slice(2));
  });
});
