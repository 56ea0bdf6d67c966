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

describe('provisioned concurrency', () => {
  const view = { account: 10, reservedTotal: 9 };

  test('is made ready before the first call, and comes before any other', () => {
    const region = new Region();
    region.provision(f, 2);
    const ready = [...region.starting.keys()];
    assert.equal(ready.length, 2);
    for (const sandboxId of ready) region.started(sandboxId);
    region.advance(10 * limits.idleMs);
    assert.equal(region.versionOfSandbox.size, 2, 'it does not age');
    for (let i = 0; i < 4; i++) region.invoke(f, view);
    assert.deepEqual(new Set(region.lent.values()), new Set(ready));
    assert.equal(region.starting.size, 1, 'beyond it one starts on demand');
    assert.deepEqual(region.reasons, ['ConcurrentInvocationLimitExceeded'], 'and the next is over');
  });

  test('a sandbox that dies is replaced, one whose init fails is not', () => {
    const region = new Region();
    region.provision(f, 1);
    const [first = ''] = region.starting.keys();
    region.started(first);
    region.ended(first);
    const [second = ''] = region.starting.keys();
    assert.notEqual(second, '');
    region.started(second, true);
    assert.equal(region.starting.size, 0);
    region.provision(f, 1);
    assert.equal(region.starting.size, 1, 'until it is asked for again');
  });

  test('while it is on its way, callers run on demand, and its failed init is not theirs', () => {
    const region = new Region();
    region.provision(f, 1);
    const [kept = ''] = region.starting.keys();
    const leaseId = region.invoke(f);
    const [, own = ''] = region.starting.keys();
    assert.notEqual(own, '', 'a start of the caller’s own');
    region.started(kept, true);
    assert.ok(region.waiting.has(leaseId));
    region.started(own);
    assert.equal(region.lent.get(leaseId), own);
    const version = region.state.versions.get(f.key);
    assert.equal(version?.provisionFailure, 'init');
  });

  test('a start that fails by our fault before any call is no caller’s either', () => {
    const region = new Region();
    region.provision(f, 1);
    const [kept = ''] = region.starting.keys();
    const leaseId = region.invoke(f);
    region.startFailed(kept);
    assert.ok(region.waiting.has(leaseId));
    assert.equal(region.state.versions.get(f.key)?.provisionFailure, 'start');
  });

  test('that takes all of a reservation leaves the other versions nothing', () => {
    const latest = versionOf('f', 'a1', '$LATEST');
    const reserved = { ...view, reserved: 2 };
    const refusal = 'ReservedFunctionConcurrentInvocationLimitExceeded';
    const region = new Region();
    region.provision(f, 2);
    region.invoke(latest, reserved);
    assert.deepEqual(region.reasons, [refusal], 'not even while it is on its way');
    const early = region.invoke(f, reserved);
    assert.deepEqual(region.reasons, [refusal], 'its own version may');
    for (const sandboxId of [...region.starting.keys()]) region.started(sandboxId);
    const sandboxId = region.lent.get(early) ?? '';
    region.answered(early);
    region.settled(sandboxId);
    region.invoke(latest, reserved);
    assert.equal(region.reasons.length, 2);
    region.invoke(f, reserved);
    region.invoke(f, reserved);
    assert.equal(region.lent.size, 2, 'and its own version has all of it');
    region.provision(f, 1);
    region.answered([...region.lent.keys()][0] ?? 0);
    region.invoke(latest, reserved);
    assert.equal(region.reasons.length, 2, 'what is not provisioned is for all');
  });

  test('what is no longer wanted goes', () => {
    const region = new Region();
    region.provision(f, 2);
    for (const sandboxId of [...region.starting.keys()]) region.started(sandboxId);
    region.invoke(f, view);
    region.provision(f, 0);
    assert.equal(region.versionOfSandbox.size, 1, 'but not what is at work');
    region.answered(1);
    region.settled([...region.versionOfSandbox.keys()][0] ?? '');
    region.advance(limits.idleMs);
    assert.equal(region.versionOfSandbox.size, 0);
    assert.equal(region.state.versions.size, 0);
  });
});

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
