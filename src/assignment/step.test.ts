import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { limits, Region, versionOf } from './step-model.fixture.ts';

const f = versionOf('f');

describe('a single function', () => {
  test('starts one sandbox for each invoke that waits, and reuses the last used first', () => {
    const region = new Region();
    const first = region.invoke(f);
    const second = region.invoke(f);
    const [s1 = '', s2 = ''] = region.starting.keys();
    region.started(s1);
    region.started(s2);
    assert.deepEqual([region.lent.get(first), region.lent.get(second)], [s1, s2]);
    region.answered(second);
    region.settled(s2);
    region.answered(first);
    region.settled(s1);
    const third = region.invoke(f);
    assert.equal(region.lent.get(third), s1);
    assert.equal(region.state.starting, 0);
  });

  test('an invoke that comes while the sandbox settles waits for it', () => {
    const region = new Region();
    const first = region.invoke(f);
    const [sandboxId = ''] = region.starting.keys();
    region.started(sandboxId);
    region.answered(first);
    const second = region.invoke(f);
    assert.equal(region.starting.size, 0, 'no cold start for a moment’s wait');
    region.advance(limits.settleMs - 1);
    assert.equal(region.starting.size, 0);
    region.advance(1);
    assert.equal(region.starting.size, 1, 'but not for longer');
    region.settled(sandboxId);
    assert.equal(region.lent.get(second), sandboxId);
  });

  test('where starts take long a settling sandbox is waited for longer, up to a bound', () => {
    for (const [startMs, waitedMs] of [
      [0, limits.settleMs],
      [100, limits.settleMs + (100 - limits.settleMs) / 4],
      [900, limits.settleMsMost],
    ] as const) {
      const region = new Region();
      const first = region.invoke(f);
      const [sandboxId = ''] = region.starting.keys();
      region.advance(startMs);
      region.started(sandboxId);
      region.answered(first);
      region.invoke(f);
      region.advance(waitedMs - 1);
      assert.equal(region.starting.size, 0, `${startMs} ms`);
      region.advance(1);
      assert.equal(region.starting.size, 1, `${startMs} ms`);
    }
  });

  test('an idle sandbox is stopped after its time, the oldest first', () => {
    const region = new Region();
    region.invoke(f);
    region.invoke(f);
    const ids = [...region.starting.keys()];
    for (const sandboxId of ids) region.started(sandboxId);
    for (const invokeId of [...region.lent.keys()]) {
      const sandboxId = region.lent.get(invokeId) ?? '';
      region.answered(invokeId);
      region.settled(sandboxId);
      region.advance(100);
    }
    region.advance(limits.idleMs - 200);
    assert.deepEqual([...region.versionOfSandbox.keys()], ids.slice(1));
    region.advance(100);
    assert.equal(region.versionOfSandbox.size, 0);
    assert.equal(region.state.functions.size + region.state.accounts.size, 0, 'all forgotten');
  });

  test('a sandbox idles from the moment it is free, whatever it did before', () => {
    const region = new Region();
    const first = region.invoke(f);
    const [sandboxId = ''] = region.starting.keys();
    region.waiting.delete(first);
    region.do({ type: 'cancelled', leaseId: first });
    region.advance(400);
    region.started(sandboxId);
    region.advance(limits.idleMs - 1);
    const second = region.invoke(f);
    assert.equal(region.lent.get(second), sandboxId, 'a start does not count');
    region.answered(second);
    region.advance(400);
    region.settled(sandboxId);
    region.advance(limits.idleMs - 1);
    assert.ok(region.versionOfSandbox.has(sandboxId), 'nor does the end of an invoke');
    region.advance(1);
    assert.ok(!region.versionOfSandbox.has(sandboxId));
  });

  test('an invoke that settles without having been answered first is over too', () => {
    const region = new Region();
    const leaseId = region.invoke(f);
    const [sandboxId = ''] = region.starting.keys();
    region.started(sandboxId);
    region.lent.delete(leaseId);
    region.do({ type: 'settled', sandboxId, leaseId, term: 1 });
    assert.deepEqual([region.state.inFlight, region.state.allIdle.length], [0, 1]);
    region.do({ type: 'settled', sandboxId, leaseId, term: 1 });
    assert.deepEqual([region.state.inFlight, region.state.allIdle.length], [0, 1], 'once');
  });

  test('a sandbox whose init failed answers a waiting invoke and is never idle', () => {
    const region = new Region();
    region.invoke(f);
    const [sandboxId = ''] = region.starting.keys();
    region.started(sandboxId, true);
    assert.equal(region.lent.size, 1);
    region.answered(1);
    region.ended(sandboxId);
    assert.equal(region.versionOfSandbox.size, 0);
  });

  test('a drained version keeps its busy sandbox to the end of the invoke', () => {
    const region = new Region();
    const first = region.invoke(f);
    region.invoke(f);
    const [s1 = '', s2 = ''] = region.starting.keys();
    region.started(s1);
    region.started(s2);
    region.answered(2);
    region.settled(s2);
    region.do({ type: 'drain', versionArn: f.versionArn });
    assert.deepEqual([...region.versionOfSandbox.keys()], [s1]);
    region.answered(first);
    region.settled(s1);
    assert.equal(region.versionOfSandbox.size, 0);
  });
});

describe('limits', () => {
  test('a reservation of zero lets nothing in', () => {
    const region = new Region();
    region.invoke(f, { account: 1000, reservedTotal: 0, reserved: 0 });
    assert.deepEqual(region.reasons, ['ReservedFunctionConcurrentInvocationLimitExceeded']);
    assert.equal(region.state.versions.size, 0);
  });

  test('what is reserved for one function is not there for the others', () => {
    const region = new Region();
    const view = { account: 5, reservedTotal: 3 };
    for (let i = 0; i < 3; i++) region.invoke(f, view);
    assert.deepEqual(region.reasons, ['ConcurrentInvocationLimitExceeded']);
    for (let i = 0; i < 4; i++) region.invoke(versionOf('g'), { ...view, reserved: 3 });
    assert.deepEqual(region.reasons.slice(1), [
      'ReservedFunctionConcurrentInvocationLimitExceeded',
    ]);
  });

  test('a start over the limit is refused at once to a function that has no sandbox', () => {
    const region = new Region({ startsPerAccount: 2 });
    region.invoke(versionOf('f1'));
    region.invoke(versionOf('f2'));
    region.invoke(versionOf('f3'));
    assert.deepEqual(region.reasons, ['starts-per-account']);
    region.invoke(versionOf('f3', 'a2'));
    assert.equal(region.starting.size, 3, 'another account has its own');
  });

  test('one that has sandboxes waits, and starts more as starts end', () => {
    const region = new Region({ startsPerRegion: 2, startsPerAccount: 2 });
    for (let i = 0; i < 5; i++) region.invoke(f);
    assert.equal(region.starting.size, 2);
    for (let round = 0; round < 3; round++) {
      for (const sandboxId of [...region.starting.keys()]) region.started(sandboxId);
    }
    assert.equal(region.lent.size, 5);
    assert.deepEqual(region.reasons, []);
  });

  test('the oldest idle sandbox makes room for another function', () => {
    const region = new Region({ sandboxes: 1 });
    region.invoke(f);
    const [sandboxId = ''] = region.starting.keys();
    region.started(sandboxId);
    region.invoke(versionOf('g'));
    assert.deepEqual(region.reasons, ['sandboxes'], 'a busy one does not');
    region.answered(1);
    region.settled(sandboxId);
    region.invoke(versionOf('g'));
    assert.equal(region.starting.size, 1);
    assert.ok(!region.versionOfSandbox.has(sandboxId));
  });

  test('nobody waits longer than the limit', () => {
    const region = new Region();
    region.invoke(f);
    region.advance(limits.waitMs);
    assert.deepEqual(region.reasons, ['waiting']);
  });
});
