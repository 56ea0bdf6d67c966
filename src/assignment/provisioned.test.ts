import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { limits, Region, versionOf } from './step-model.fixture.ts';

const f = versionOf('f');

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

  test('that uses up a reservation leaves the other versions nothing', () => {
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

  test('is held to a reservation that was lowered below it', () => {
    const region = new Region();
    region.provision(f, 2);
    for (const sandboxId of [...region.starting.keys()]) region.started(sandboxId);
    region.invoke(f, { ...view, reserved: 2 });
    region.invoke(f, { ...view, reserved: 1 });
    assert.deepEqual(region.reasons, ['ReservedFunctionConcurrentInvocationLimitExceeded']);
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
