import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError } from '../base/mod.ts';
import type { Tier } from './device-counters.ts';
import { memoryWith } from './disk.fixture.ts';
import { MissTable, type ParkedDevice, type Wanted } from './miss-table.ts';

const LEAST_SLOTS = memoryWith(1).slotCount;

/** A device whose requests lack the chunks that a test says, until they are in memory. */
class FakeDevice implements ParkedDevice {
  hasPack = false;
  readonly disk = {
    missing: new Uint32Array(16),
    missingCount: 0,
    chunkName: (index: number) => `c${index}`,
    isOfPack: () => this.hasPack,
    forgoPack: () => {
      this.hasPack = false;
    },
  };

  lacks(...chunks: number[]): void {
    this.disk.missing.set(chunks);
    this.disk.missingCount = chunks.length;
  }
}

function bench() {
  const memory = memoryWith(LEAST_SLOTS);
  const fetches: Wanted<FakeDevice>[] = [];
  const misses = new MissTable<FakeDevice>(memory, (wanted) => fetches.push(wanted));
  const ended: string[] = [];
  /** Parks a request that is answered when all of its chunks are ready in memory. */
  const park = (name: string, device: FakeDevice, ...chunks: number[]) => {
    const lacking = () =>
      chunks.filter((chunk) => {
        const slot = memory.find(`c${chunk}`);
        return slot < 0 || !memory.isReady(slot);
      });
    device.lacks(...lacking());
    misses.park({
      device,
      attempt: (farthest: Tier) => {
        device.lacks(...lacking());
        if (device.disk.missingCount > 0) return false;
        ended.push(`${name} ${farthest}`);
        return true;
      },
      fail: (error) => ended.push(`${name} ${isSluiceError(error) ? error.code : error}`),
    });
  };
  const slotOf = (chunk: number) => memory.find(`c${chunk}`);
  const fill = (chunk: number, tier: Tier = 'slab') => misses.filled(slotOf(chunk), tier, 1);
  const names = () => fetches.map(({ name }) => name);
  return { memory, misses, fetches, ended, park, fill, slotOf, names };
}

test('a chunk is asked for once, however many wait for it, of whichever device', () => {
  const { misses, fetches, ended, park, fill, names } = bench();
  const [one, two] = [new FakeDevice(), new FakeDevice()];
  park('a', one, 1, 2, 1);
  park('b', two, 2, 3);
  assert.deepEqual(names(), ['c1', 'c2', 'c3']);
  assert.deepEqual([fetches[0]?.device, fetches[2]?.device], [one, two]);
  assert.ok(fetches.every(({ ahead }) => !ahead));
  assert.deepEqual([misses.inFlight, misses.demand], [3, true]);
  fill(2);
  assert.deepEqual(ended, []);
  fill(3);
  assert.deepEqual(ended, ['b slab']);
  fill(1);
  assert.deepEqual([ended[1], misses.inFlight, misses.demand], ['a slab', 0, false]);
});

test('a request says the farthest tier that it waited for', () => {
  const { ended, park, fill } = bench();
  park('a', new FakeDevice(), 1, 2, 3);
  fill(1, 'l2');
  fill(2, 'origin');
  fill(3, 'slab');
  assert.deepEqual(ended, ['a origin']);
});

test('what a request waited for stays in memory until it is answered, and no longer', () => {
  const { memory, ended, park, fill, slotOf } = bench();
  park('a', new FakeDevice(), 1, 2);
  fill(1);
  const others = Array.from({ length: LEAST_SLOTS - 2 }, (_, n) => memory.reserve(`other-${n}`));
  assert.ok(others.every((slot) => slot >= 0));
  assert.equal(memory.reserve('one-more'), -1, 'the first is kept for who waits for the second');
  fill(2);
  assert.deepEqual(ended, ['a slab']);
  assert.ok(memory.reserve('one-more') >= 0);
  assert.ok(memory.reserve('and-one') >= 0);
  assert.deepEqual([slotOf(1), slotOf(2)], [-1, -1]);
});

test('without room a request lets go of its slots and stands in line', () => {
  const { memory, misses, ended, park, fill, names } = bench();
  for (let chunk = 0; chunk < LEAST_SLOTS - 1; chunk++) park(`${chunk}`, new FakeDevice(), chunk);
  park('large', new FakeDevice(), 90, 91);
  assert.equal(names().at(-1), 'c90');
  assert.ok(misses.demand);
  fill(90);
  assert.deepEqual(ended, [], 'it stands in line for the other');
  fill(0);
  assert.deepEqual(ended, ['0 slab']);
  assert.equal(names().at(-1), 'c91');
  for (let chunk = 1; chunk < LEAST_SLOTS - 1; chunk++) fill(chunk);
  for (let round = 0; round < 4 && misses.demand; round++) {
    for (const chunk of [90, 91]) {
      const slot = memory.find(`c${chunk}`);
      if (slot >= 0 && !memory.isReady(slot)) fill(chunk);
    }
  }
  assert.equal(ended.at(-1), 'large slab');
  assert.equal(ended.length, LEAST_SLOTS);
});

test('a chunk that did not come makes room for who stands in line', () => {
  const { misses, ended, park, fill, slotOf, names } = bench();
  for (let chunk = 0; chunk < LEAST_SLOTS; chunk++) park(`${chunk}`, new FakeDevice(), chunk);
  park('late', new FakeDevice(), 90);
  assert.ok(!names().includes('c90'));
  misses.unfilled(slotOf(0), new Error('away'));
  assert.equal(names().at(-1), 'c90');
  fill(90);
  assert.deepEqual(ended, ['0 Error: away', 'late slab']);
});

test('a chunk that did not come fails who waits for it, with its error, and nobody else', () => {
  const { misses, memory, ended, park, fill, slotOf } = bench();
  park('a', new FakeDevice(), 1, 2);
  park('b', new FakeDevice(), 2);
  misses.unfilled(slotOf(1), new Error('away'));
  assert.deepEqual(ended, ['a Error: away']);
  assert.equal(memory.find('c1'), -1, 'it may be asked for again');
  fill(2);
  assert.deepEqual(ended[1], 'b slab');
  assert.equal(misses.demand, false);
});

test('a chunk of a start pack that did not come sends its device to the disk’s own chunks', () => {
  const { misses, ended, park, fill, slotOf } = bench();
  const device = new FakeDevice();
  device.hasPack = true;
  park('a', device, 1);
  misses.unfilled(slotOf(1), new Error('away'));
  assert.deepEqual(ended, []);
  fill(1);
  assert.deepEqual(ended, ['a slab']);
  park('b', device, 2);
  misses.unfilled(slotOf(2), new Error('away'));
  assert.deepEqual(ended[1], 'b Error: away', 'once');
});

test('what waits for several parts of a start pack, none of which comes, goes on without it', () => {
  const { misses, ended, park, slotOf, fill } = bench();
  const device = new FakeDevice();
  device.hasPack = true;
  park('a', device, 1);
  park('b', device, 2);
  misses.unfilled(slotOf(1), new Error('away'));
  misses.unfilled(slotOf(2), new Error('away'));
  assert.deepEqual(ended, []);
  fill(1);
  fill(2);
  assert.deepEqual(ended, ['a slab', 'b slab']);
});

test('a device that closes fails what it waits for; its chunks may come for others', () => {
  const { misses, ended, park, fill } = bench();
  const [closing, other] = [new FakeDevice(), new FakeDevice()];
  park('a', closing, 1, 2);
  park('b', other, 1);
  misses.dropDevice(closing);
  assert.deepEqual(ended, ['a DEVICE_CLOSED']);
  assert.ok(misses.demand);
  fill(2);
  fill(1);
  assert.deepEqual(ended[1], 'b slab');
});

test('a request whose retry throws fails with that', () => {
  const { misses, ended, fill } = bench();
  const device = new FakeDevice();
  device.lacks(1);
  misses.park({
    device,
    attempt: () => {
      throw new Error('tampered');
    },
    fail: (error) => ended.push(String(error)),
  });
  fill(1);
  assert.deepEqual([ended, misses.demand], [['Error: tampered'], false]);
});

test('a chunk that nobody waits for is asked for once too, and whoever comes joins the wait', () => {
  const { misses, memory, fetches, ended, park, fill, slotOf } = bench();
  const device = new FakeDevice();
  const slot = misses.prefetch(device, 'c1');
  assert.equal(slot, slotOf(1));
  assert.deepEqual([fetches[0]?.ahead, misses.demand, misses.inFlight], [true, false, 1]);
  assert.equal(misses.prefetch(device, 'c1'), 'present');
  park('a', device, 1);
  assert.equal(fetches.length, 1);
  fill(1);
  assert.deepEqual(ended, ['a slab']);
  for (let n = 0; memory.find(`f${n - 1}`) >= 0 || n === 0; n++) {
    if (misses.prefetch(device, `f${n}`) === 'full') break;
  }
  assert.equal(misses.prefetch(device, 'more'), 'full');
});
