import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { limited, Region, versionOf } from './step-model.fixture.ts';

const allStarted = (region: Region) => {
  for (const sandboxId of [...region.starting.keys()]) region.started(sandboxId);
};

describe('one tenant at its limit', () => {
  test('of starts keeps no other tenant from starting', () => {
    const region = new Region({ startsPerRegion: 3, startsPerAccount: 2 });
    const [mine, other, third] = [versionOf('f', 'a1'), versionOf('g', 'a2'), versionOf('h', 'a3')];
    region.invoke(other);
    allStarted(region);
    for (let i = 0; i < 3; i++) region.invoke(mine);
    region.invoke(third);
    const waiting = region.invoke(other);
    assert.deepEqual([region.starting.size, region.waiting.has(waiting)], [3, true]);
    const [sandboxId = ''] = [...region.starting].find(([, { key }]) => key === third.key) ?? [];
    region.started(sandboxId);
    const started = [...region.starting.values()].map(({ accountId }) => accountId).sort();
    assert.deepEqual(started, ['a1', 'a1', 'a2'], 'the place goes to who may have it');
  });
});

describe('a sandbox that dies', () => {
  test('makes room for whoever waits for room', () => {
    const region = new Region({ sandboxes: 2 });
    const [mine, other] = [versionOf('f', 'a1'), versionOf('g', 'a2')];
    region.invoke(mine);
    region.invoke(other);
    const [first = ''] = region.starting.keys();
    allStarted(region);
    const waiting = region.invoke(other);
    assert.deepEqual([region.starting.size, region.waiting.has(waiting)], [0, true]);
    region.ended(first);
    assert.deepEqual([...region.starting.values()], [other]);
  });
});

describe('an account', () => {
  test('is never over its ceiling, whatever its functions have reserved meanwhile', () => {
    const region = new Region();
    for (let i = 0; i < 3; i++) region.invoke(versionOf('f'), { account: 3, reservedTotal: 0 });
    const reserved = { account: 3, reservedTotal: 2, reserved: 2 };
    region.invoke(versionOf('g'), reserved);
    assert.deepEqual(region.reasons, ['ConcurrentInvocationLimitExceeded']);
    assert.equal(region.state.accounts.get('a1')?.inFlight, 3);
    allStarted(region);
    const [leaseId = 0] = region.lent.keys();
    region.answered(leaseId);
    const taken = region.invoke(versionOf('g'), reserved);
    assert.ok(region.waiting.has(taken), 'one less, and the reservation is good');
  });
});

describe('a start that found no room', () => {
  const slow = { startsPerFunctionBurst: 3, startsPerFunctionPerSecond: 0.001 };

  /** A function that has one sandbox, of another version, and two starts left. */
  function used(): Region {
    const region = new Region(slow);
    region.invoke(versionOf('f', 'a1', '2'));
    allStarted(region);
    return region;
  }

  test('costs its function no start', () => {
    const region = used();
    for (let i = 0; i < 6; i++) {
      region.invoke(versionOf('f'));
      const [sandboxId = ''] = region.starting.keys();
      region.startFailed(sandboxId, limited);
    }
    assert.deepEqual(new Set(region.reasons), new Set(['starts-per-worker']));
  });

  test('whether a worker or placement says so', () => {
    const region = used();
    region.placeOn = undefined;
    for (let i = 0; i < 6; i++) {
      region.invoke(versionOf('f'));
      const [sandboxId = ''] = region.placing.keys();
      region.unplaced(sandboxId);
    }
    assert.deepEqual(new Set(region.reasons), new Set(['starts-per-worker']));
  });
});
