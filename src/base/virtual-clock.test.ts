import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isSluiceError, SluiceError, systemClock, VirtualClock } from './mod.ts';

describe('a virtual clock', () => {
  test('fires timers in due order and not when cancelled', () => {
    const clock = new VirtualClock(1000);
    const fired: string[] = [];
    clock.setTimer(20, () => fired.push(`late@${clock.nowMs()}`));
    clock.setTimer(10, () => {
      fired.push(`early@${clock.nowMs()}`);
      clock.setTimer(5, () => fired.push(`nested@${clock.nowMs()}`));
    });
    clock.setTimer(15, () => fired.push('never')).cancel();
    clock.jump(30);
    assert.deepEqual(fired, ['early@1010', 'nested@1015', 'late@1020']);
    assert.deepEqual([clock.nowMs(), clock.pending], [1030, 0]);
  });

  test('fires what was set and not cancelled, sorted by due time and then by setting', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ set: fc.integer({ min: -5, max: 30 }) }) },
      { weight: 2, arbitrary: fc.record({ cancel: fc.nat(40) }) },
      { weight: 1, arbitrary: fc.record({ jump: fc.nat(10) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const clock = new VirtualClock();
        const fired: number[] = [];
        const timers: { dueMs: number; cancel(): void; gone: boolean }[] = [];
        const expected: number[] = [];
        const jump = (byMs: number) => {
          const due = timers
            .map((timer, index) => ({ timer, index }))
            .filter(({ timer }) => !timer.gone && timer.dueMs <= clock.monotonicMs() + byMs)
            .sort((a, b) => a.timer.dueMs - b.timer.dueMs || a.index - b.index);
          for (const { timer, index } of due) {
            timer.gone = true;
            expected.push(index);
          }
          clock.jump(byMs);
        };
        for (const each of steps) {
          if ('set' in each) {
            const index = timers.length;
            const timer = clock.setTimer(each.set, () => fired.push(index));
            const dueMs = clock.monotonicMs() + Math.max(0, each.set);
            timers.push({ dueMs, cancel: () => timer.cancel(), gone: false });
          } else if ('cancel' in each) {
            const timer = timers[each.cancel];
            timer?.cancel();
            if (timer) timer.gone = true;
          } else jump(each.jump);
          assert.equal(clock.pending, timers.filter(({ gone }) => !gone).length);
        }
        jump(100);
        assert.deepEqual(fired, expected);
      }),
    );
  });

  test('lets promises go as far as they can between two timers', async () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    const loop = async (name: string, everyMs: number) => {
      for (let round = 0; round < 3; round++) {
        await clock.sleep(everyMs);
        for (let i = 0; i < 50; i++) await undefined;
        await new Promise<void>((resolve) => process.nextTick(resolve));
        seen.push(`${name}@${clock.monotonicMs()}`);
      }
    };
    const both = Promise.all([loop('a', 10), loop('b', 15)]);
    await clock.advance(30);
    assert.deepEqual(seen, ['a@10', 'b@15', 'a@20', 'b@30', 'a@30']);
    assert.equal(clock.monotonicMs(), 30);
    await clock.until(both);
    assert.deepEqual(seen.slice(5), ['b@45']);
  });

  test('keeps its timers and monotonic time when the wall clock is set', async () => {
    const clock = new VirtualClock(1_700_000_000_000, 5000);
    let firedMs = 0;
    clock.setTimer(100, () => {
      firedMs = clock.monotonicMs();
    });
    await clock.advance(40);
    clock.stepWall(-3_600_000);
    assert.deepEqual([clock.nowMs(), clock.monotonicMs()], [1_699_996_400_040, 5040]);
    await clock.advance(59);
    assert.equal(firedMs, 0);
    await clock.advance(1);
    assert.equal(firedMs, 5100);
    clock.stepWall(7_200_000);
    assert.equal(clock.nowMs(), 1_700_003_600_100);
  });

  test('runs until work has settled, and fails when nothing is left that could settle it', async () => {
    const clock = new VirtualClock();
    const work = async () => {
      await clock.sleep(50);
      await new Promise<void>((resolve) => clock.soon(resolve));
      return clock.monotonicMs();
    };
    assert.equal(await clock.until(work()), 50);
    const failing = clock.sleep(10).then(() => {
      throw new SluiceError('CANCELLED', 'work: not wanted');
    });
    await assert.rejects(clock.until(failing), (error) => isSluiceError(error, 'CANCELLED'));
    await assert.rejects(clock.until(new Promise(() => {})), /no timer is set/);
    await assert.rejects(clock.until(clock.sleep(101), 100), /took more than 100 ms/);
  });

  test('can be moved by only one caller at a time', async () => {
    const clock = new VirtualClock();
    const first = clock.advance(10);
    await assert.rejects(clock.advance(10), /being advanced/);
    await first;
    assert.equal(clock.monotonicMs(), 10);
  });
});

for (const [name, clock] of Object.entries({ system: systemClock, virtual: new VirtualClock() })) {
  const passing = <T>(work: Promise<T>) =>
    clock instanceof VirtualClock ? clock.until(work) : work;

  test(`the ${name} clock: a sleep ends by its time or by its signal, and keeps no listener`, async () => {
    const controller = new AbortController();
    const { signal } = controller;
    let listeners = 0;
    const counted = new Proxy(signal, {
      get(target, property) {
        if (property === 'addEventListener') listeners++;
        if (property === 'removeEventListener') listeners--;
        const value = Reflect.get(target, property, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    await passing(clock.sleep(1, counted));
    assert.equal(listeners, 0);
    const endless = assert.rejects(clock.sleep(1e9, signal), /enough/);
    controller.abort(new Error('enough'));
    await endless;
    await assert.rejects(clock.sleep(0, signal), /enough/);
    if (clock instanceof VirtualClock) assert.equal(clock.pending, 0);
  });

  test(`the ${name} clock: what is to come soon waits for the promises of this turn`, async () => {
    const order: string[] = [];
    const soon = new Promise<void>((resolve) =>
      clock.soon(() => {
        order.push('soon');
        resolve();
      }),
    );
    for (let i = 0; i < 10; i++) await undefined;
    order.push('promises');
    await passing(soon);
    assert.deepEqual(order, ['promises', 'soon']);
  });
}
