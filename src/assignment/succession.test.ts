import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isSluiceError } from '../base/mod.ts';
import { type AssignmentEvent, isDurable } from './events.ts';
import { decodeState, encodeState } from './snapshot.ts';
import { limits, Region, replayDurable, versionOf } from './step-model.fixture.ts';

const f = versionOf('f');
const g = versionOf('g', 'a2');
const HOUR_MS = 3_600_000;

/** Two idle sandboxes of one function, and a third at work. */
function working(): { region: Region; busy: number } {
  const region = new Region();
  for (let i = 0; i < 3; i++) region.invoke(f);
  for (const sandboxId of [...region.starting.keys()]) region.started(sandboxId);
  const [busy = 0, ...done] = region.lent.keys();
  for (const leaseId of done) {
    const sandboxId = region.lent.get(leaseId) ?? '';
    region.answered(leaseId);
    region.settled(sandboxId);
  }
  assert.equal(region.state.allIdle.length, 2);
  return { region, busy };
}

describe('a successor', () => {
  test('whose clock is hours ahead stops no sandbox before its time', () => {
    for (const how of ['snapshot', 'journal'] as const) {
      const { region } = working();
      region.nowMs += HOUR_MS;
      region.takeover(how);
      region.report('w1');
      region.do({ type: 'tick' });
      region.advance(1000);
      assert.equal(region.versionOfSandbox.size, 3, how);
      region.advance(5000);
      assert.equal(region.versionOfSandbox.size, 1, `${how}: what idles goes when it has idled`);
    }
  });

  test('whose clock is hours behind refuses nobody, and time goes on', () => {
    const { region } = working();
    const view = { account: 10, reservedTotal: 1, reserved: 1 };
    region.invoke(g, view);
    for (const sandboxId of [...region.starting.keys()]) region.started(sandboxId);
    // The function has used up its ten requests of a second.
    for (let i = 0; i < 9; i++) {
      const [leaseId = 0] = [...region.lent].findLast(([id]) => id > 3) ?? [];
      const sandboxId = region.lent.get(leaseId) ?? '';
      region.answered(leaseId);
      region.settled(sandboxId);
      region.invoke(g, view);
    }
    region.nowMs -= HOUR_MS;
    region.takeover('snapshot');
    region.report('w1');
    region.reasons.length = 0;
    region.advance(200);
    const [leaseId = 0] = [...region.lent].findLast(([id]) => id > 3) ?? [];
    const sandboxId = region.lent.get(leaseId) ?? '';
    region.answered(leaseId);
    region.settled(sandboxId);
    region.invoke(g, view);
    assert.deepEqual(region.reasons, [], 'a fifth of a second gives two requests back');
    region.invoke(f);
    region.advance(1000);
    assert.deepEqual(region.reasons, [], 'nor does anybody wait for the clock to come again');
  });

  test('forgets the functions that only its predecessor’s callers waited for', () => {
    const region = new Region();
    region.placeOn = undefined;
    region.invoke(f);
    region.takeover('snapshot');
    assert.equal(region.state.versions.size + region.state.functions.size, 0);
  });

  test('lends what a worker says is idle, and nothing before that', () => {
    for (const how of ['snapshot', 'journal'] as const) {
      const { region } = working();
      region.takeover(how);
      const leaseId = region.invoke(f);
      assert.ok(region.waiting.has(leaseId), `${how}: nobody knows yet`);
      region.report('w1');
      assert.ok(region.lent.has(leaseId), how);
      assert.equal(region.state.sandboxes.get(region.lent.get(leaseId) ?? '')?.leaseId, leaseId);
    }
  });

  test('counts what is at work for its predecessor, until it is settled', () => {
    for (const how of ['snapshot', 'journal'] as const) {
      const { region, busy } = working();
      region.takeover(how);
      assert.equal(region.state.inFlight, 0);
      region.report('w1');
      const { accounts } = region.state;
      assert.deepEqual([region.state.inFlight, accounts.get('a1')?.inFlight], [1, 1], how);
      region.invoke(f, { account: 1, reservedTotal: 0 });
      assert.deepEqual(region.reasons, ['ConcurrentInvocationLimitExceeded']);
      const sandboxId = region.lent.get(busy) ?? '';
      region.answered(busy);
      region.settled(sandboxId);
      assert.deepEqual([region.state.inFlight, region.state.allIdle.length], [0, 3]);
    }
  });

  test('learns which of its predecessor’s sandboxes are dead, and ends those that nobody knows', () => {
    const { region } = working();
    const [first = '', ...rest] = region.hosted.keys();
    region.takeover('journal');
    region.hosted.delete(first);
    region.hosted.set('stray', { workerId: 'w1', version: f, phase: 'idle', lease: undefined });
    const [effect] = region
      .do({
        type: 'worker-report',
        workerId: 'w1',
        sandboxes: [...region.hosted.keys()].map((sandboxId) => ({ sandboxId, phase: 'idle' })),
      })
      .filter(({ type }) => type === 'stop');
    assert.deepEqual(effect, {
      type: 'stop',
      sandboxId: 'stray',
      workerId: 'w1',
      reason: 'orphaned',
    });
    assert.deepEqual([...region.state.sandboxes.keys()], rest);
  });

  test('keeps as many provisioned as were asked for, counting those that it inherits', () => {
    const region = new Region();
    region.provision(f, 2);
    for (const sandboxId of [...region.starting.keys()]) region.started(sandboxId);
    region.takeover('journal');
    assert.equal(region.starting.size, 0);
    const [first = ''] = region.hosted.keys();
    region.ended(first);
    assert.equal(region.starting.size, 1);
  });
});

describe('a follower', () => {
  test('reads from the journal which sandboxes there are and what is to stand ready, no more', () => {
    const { region } = working();
    region.provision(g, 1);
    region.report('w1');
    region.do({ type: 'worker-joined', workerId: 'w2', address: 'a' });
    const durable = new Set(region.events.filter(isDurable).map(({ type }) => type));
    assert.deepEqual([...durable].sort(), ['born', 'provisioned', 'ready']);
    const soft: AssignmentEvent['type'][] = ['elected', 'acquire', 'cancelled', 'unplaced'];
    soft.push('answered', 'settled', 'undelivered', 'worker-joined', 'worker-left');
    soft.push('worker-report', 'drain', 'reclaim', 'tick', 'close');
    for (const type of soft) assert.equal(isDurable({ type } as AssignmentEvent), false, type);
    assert.equal(isDurable({ type: 'died' } as AssignmentEvent), true);
    const follower = replayDurable(region.events, limits);
    assert.deepEqual([follower.leading, follower.sandboxes.size], [false, 4]);
    assert.equal(follower.functions.get(g.functionArn)?.provisioned, 1);
  });

  test('takes no snapshot that it cannot understand for one', () => {
    const { region } = working();
    const whole = encodeState(region.state);
    const version = 'unknown';
    const [sandbox] = whole.sandboxes;
    assert.ok(sandbox);
    const wrong = [
      { ...whole, format: 2 as 1 },
      { ...whole, sandboxes: [{ ...sandbox, version }] },
      { ...whole, idle: ['unknown'] },
      { ...whole, workers: [{ workerId: 'w1', address: '', sandboxes: ['unknown'] }] },
      { ...whole, hungry: [version] },
      { ...whole, functions: whole.functions.map((each) => ({ ...each, functionArn: 'unknown' })) },
    ];
    for (const snapshot of wrong) {
      assert.throws(
        () => decodeState(snapshot, limits),
        (error) => isSluiceError(error, 'STORE_CORRUPT'),
      );
    }
  });
});

describe('a leader', () => {
  test('whose clock leaps, or that was paused, ends nothing before its time', () => {
    const { region } = working();
    const waiting = [region.invoke(g), region.invoke(g)];
    region.nowMs += HOUR_MS;
    region.do({ type: 'tick' });
    assert.equal(region.hosted.size, 3 + waiting.length, 'no idle sandbox was stopped');
    assert.deepEqual(region.reasons, [], 'nobody who waits was refused');
    region.advance(5000);
    assert.equal(region.state.allIdle.length, 0, 'time goes on from there');
  });
});

describe('a worker', () => {
  test('that leaves takes its sandboxes with it, and waiting callers start elsewhere', () => {
    const { region } = working();
    region.placeOn = 'w2';
    const running = region.invoke(f);
    region.workerLeft('w1');
    const next = region.invoke(f);
    assert.deepEqual(
      [...region.hosted.values()].map(({ workerId }) => workerId),
      ['w2'],
    );
    assert.ok(region.waiting.has(next) && !region.lent.has(running));
    assert.equal(region.state.inFlight, 1, 'invokes end with their sandboxes');
  });

  test('that lacks a sandbox in one report has lost it only when it lacks it in the next', () => {
    const { region } = working();
    const all = [...region.hosted.keys()].map((sandboxId) => ({
      ...{ sandboxId, phase: region.hosted.get(sandboxId)?.phase ?? 'idle' },
      lease: region.hosted.get(sandboxId)?.lease,
    }));
    const report = (sandboxes: typeof all) =>
      region.do({ type: 'worker-report', workerId: 'w1', sandboxes });
    for (const sandboxes of [all.slice(1), all, all.slice(1), all]) report(sandboxes);
    assert.equal(region.state.sandboxes.size, 3, 'reports cross on their way');
    report(all.slice(1));
    report(all.slice(1));
    assert.equal(region.state.sandboxes.size, 2);
  });

  test('whose sandbox came up and was lent while leaders changed says so', () => {
    const region = new Region();
    region.invoke(f);
    const [hosted] = region.hosted.values();
    assert.ok(hosted);
    region.takeover('journal');
    Object.assign(hosted, { phase: 'busy', lease: { leaseId: 1, term: 1, pool: 'unreserved' } });
    region.report('w1');
    assert.deepEqual([region.state.starting, region.state.inFlight], [0, 1]);
  });

  test('whose end of a lease was not heard of says so in its report', () => {
    const { region, busy } = working();
    const hosted = region.hosted.get(region.lent.get(busy) ?? '');
    assert.ok(hosted);
    hosted.phase = 'idle';
    region.report('w1');
    assert.deepEqual([region.state.inFlight, region.state.allIdle.length], [0, 3]);
  });

  test('that never saw a lease gives its sandbox back after a while, and not before', () => {
    const { region, busy } = working();
    const hosted = region.hosted.get(region.lent.get(busy) ?? '');
    assert.ok(hosted);
    Object.assign(hosted, { phase: 'idle', lease: undefined });
    region.report('w1');
    assert.equal(region.state.inFlight, 1, 'whoever has the lease may be on the way');
    region.advance(3000);
    region.report('w1');
    assert.equal(region.state.inFlight, 0);
  });
});
