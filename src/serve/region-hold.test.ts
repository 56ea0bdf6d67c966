import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { limits, noLogger, systemClock, systemRandom, VirtualClock } from '../base/mod.ts';
import { dataDirectory } from '../config/mod.ts';
import { directoryOrigin, memoryOrigin } from '../origin/mod.ts';
import { holdOrigin, NotedHold } from './region-hold.ts';

const { holdBeatMs, holdWatchMs } = limits.origin;
const mismatch = { code: 'REGION_MISMATCH' };

/** An origin that all have in common, and regions that each have a clock and a place. */
function world() {
  const { owner } = memoryOrigin({ clock: systemClock, random: systemRandom });
  const places = { one: '1'.repeat(32), two: '2'.repeat(32), gone: '3'.repeat(32) };
  const region = (where: keyof typeof places, clock: VirtualClock) => {
    const tools = { clock, random: systemRandom, logger: noLogger };
    return NotedHold.take({ owner, place: places[where], ...tools });
  };
  return { owner, region };
}

test('two live regions on copies of one data directory: the second is refused', async () => {
  const { region } = world();
  const clock = new VirtualClock(0);
  const first = await region('one', clock);
  const second = assert.rejects(region('two', clock), mismatch);
  await clock.advance(holdWatchMs);
  await second;
  await first.check();
  assert.equal(first.lost.aborted, false);
});

test('wall clocks that differ or step change nothing', async () => {
  const { region } = world();
  const [early, late] = [new VirtualClock(0), new VirtualClock(9e12)];
  const first = await region('one', early);
  const second = assert.rejects(region('two', late), mismatch);
  early.stepWall(-3_600_000);
  for (let passed = 0; passed < holdWatchMs; passed += holdBeatMs / 4) {
    await early.advance(holdBeatMs / 4);
    late.stepWall(3_600_000);
    await late.advance(holdBeatMs / 4);
  }
  await second;
  await first.check();
});

test('what stood still until another took over is out, and says so', async () => {
  const { region } = world();
  const [stopped, clock] = [new VirtualClock(0), new VirtualClock(0)];
  const first = await region('one', stopped);
  const taking = region('two', clock);
  await clock.advance(holdWatchMs + holdBeatMs);
  const second = await taking;
  await assert.rejects(first.check(), mismatch);
  await stopped.advance(holdBeatMs);
  assert.equal(first.lost.aborted, true);
  await clock.advance(3 * holdBeatMs);
  await first.release();
  await second.check();
});

test('of two that take over at once, one stays', async () => {
  const { region } = world();
  const clock = new VirtualClock(0);
  await region('gone', new VirtualClock(0));
  const taking = Promise.allSettled([region('one', clock), region('two', clock)]);
  await clock.advance(holdWatchMs + 3 * holdBeatMs);
  const took = (await taking).filter((each) => each.status === 'fulfilled');
  assert.equal(took.filter(({ value }) => !value.lost.aborted).length, 1);
});

test('a region that was killed, or stopped, starts again at once', async () => {
  const { region } = world();
  const clock = new VirtualClock(0);
  await region('one', clock);
  const again = await region('one', new VirtualClock(0));
  await again.release();
  await region('two', new VirtualClock(0));
});

test('an outage of the origin loses no hold', async (t) => {
  const { owner, region } = world();
  const clock = new VirtualClock(0);
  const hold = await region('one', clock);
  const read = t.mock.method(owner, 'readHolder', async () => assert.fail('out'));
  await clock.advance(5 * holdBeatMs);
  read.mock.restore();
  await clock.advance(2 * holdBeatMs);
  await hold.check();
  const other = assert.rejects(region('two', clock), mismatch);
  await clock.advance(holdWatchMs);
  await other;
});

test('a directory is held by a lock of the kernel', async (t) => {
  const directory = join(temporaryDirectory(t, 'hold'), 'origin');
  const tools = { clock: systemClock, random: systemRandom };
  const origin = directoryOrigin(directory, tools);
  const place = { kind: 'directory', directory } as const;
  const data = dataDirectory(join(directory, '..', 'data'));
  const take = () => holdOrigin({ data, place, origin, ...tools, logger: noLogger });
  const first = await take();
  await assert.rejects(take(), { code: 'REGION_MISMATCH', message: new RegExp(`^${directory}: `) });
  await first.release();
  await (await take()).release();
});
