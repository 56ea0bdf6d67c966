import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError, VirtualClock } from '../base/mod.ts';
import { PlacementService } from './service.ts';
import { createState, type PlacementEvent } from './state.ts';
import { step } from './step.ts';

const GIB = 1024 ** 3;

class Zone {
  readonly state = createState({ suspectMs: 3000 });
  atMs = 0;

  report(workerId: string, more: object = {}): void {
    const standing = { draining: false, freeMemoryBytes: 8 * GIB, startsUnderWay: 0 };
    step(this.state, { type: 'worker-report', atMs: this.atMs, workerId, ...standing, ...more });
  }

  place(memoryBytes = GIB): string {
    const event: PlacementEvent = { type: 'place', atMs: this.atMs, sandboxId: 's', memoryBytes };
    const [effect] = step(this.state, event).effects;
    assert.ok(effect);
    return effect.type === 'placed' ? effect.workerId : effect.reason;
  }
}

test('starts go to the worker that has fewest under way, counting those just sent there', () => {
  const zone = new Zone();
  zone.report('a', { startsUnderWay: 2 });
  zone.report('b');
  assert.deepEqual([zone.place(), zone.place(), zone.place()], ['b', 'b', 'a']);
  assert.equal(zone.place(), 'b', 'as many here as there, and less memory taken');
  zone.report('b');
  assert.equal(zone.place(), 'b', 'a report says what became of them');
});

test('workers without enough memory come after those with enough', () => {
  const zone = new Zone();
  zone.report('a', { freeMemoryBytes: GIB / 2 });
  zone.report('b', { startsUnderWay: 9 });
  assert.equal(zone.place(), 'b');
  assert.equal(zone.place(GIB / 4), 'a', 'less fits');
});

test('of two that start equally many, the one with more memory left', () => {
  const zone = new Zone();
  zone.report('a', { freeMemoryBytes: 2 * GIB });
  zone.report('b', { freeMemoryBytes: 4 * GIB });
  assert.equal(zone.place(), 'b');
});

test('a draining worker gets no starts, and one that left is not considered', () => {
  const zone = new Zone();
  assert.equal(zone.place(), 'no-worker');
  zone.report('a', { draining: true });
  assert.equal(zone.place(), 'draining');
  zone.report('b');
  assert.equal(zone.place(), 'b');
  step(zone.state, { type: 'worker-left', atMs: 0, workerId: 'b' });
  assert.equal(zone.place(), 'draining');
});

test('a silent worker gets starts only while all are silent', () => {
  const zone = new Zone();
  zone.report('a');
  zone.atMs = 3000;
  assert.equal(zone.place(), 'a', 'better a silent one than none');
  zone.report('b', { startsUnderWay: 9 });
  assert.equal(zone.place(), 'b');
});

test('a clock that goes back makes nobody silent', () => {
  const zone = new Zone();
  zone.atMs = 10_000;
  zone.report('a');
  zone.atMs = 0;
  zone.report('b', { startsUnderWay: 1 });
  assert.equal(zone.place(), 'a');
});

test('without a worker a start is refused as a limit', async () => {
  const placement = new PlacementService({ clock: new VirtualClock() });
  const request = { sandboxId: 's-1', version: { memoryMb: 128 } };
  await assert.rejects(placement.place(request), (error) =>
    isSluiceError(error, 'START_LIMIT_EXCEEDED'),
  );
  const standing = { draining: false, freeMemoryBytes: GIB, startsUnderWay: 0 };
  placement.reported({ workerId: 'w', ...standing });
  assert.deepEqual(await placement.place(request), { workerId: 'w' });
});
