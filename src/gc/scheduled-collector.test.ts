import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { noLogger, SeededRandom } from '../base/mod.ts';
import type { CollectedOrigin } from './mod.ts';
import { ScheduledCollector } from './scheduled-collector.ts';
import { DWELL_MS, SETTLE_MS, World } from './world.fixture.ts';

const everyMs = 10_000;
const rotateMs = 60_000;

function setUp(t: TestContext, tamper?: (origin: CollectedOrigin) => CollectedOrigin) {
  const world = new World(new SeededRandom(7), tamper);
  const owner = { isOurs: true };
  const schedule = new ScheduledCollector({
    collector: world.collector,
    clock: world.clock,
    logger: noLogger,
    isOurs: async () => assert.ok(owner.isOurs, 'another has it'),
    ...{ everyMs, rotateMs },
  });
  t.after(() => schedule.close());
  const chunks = async () => (await world.keys('roots/')).filter((key) => key.includes('/chunks/'));
  /** Rounds take turns of the event loop as well as time. */
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += everyMs) {
      await world.clock.advance(everyMs);
      for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const states = async () => (await world.collector.status()).roots.map(({ state }) => state);
  return { world, owner, schedule, chunks, pass, states };
}

test('what nothing uses any more is collected without being asked, what is live stays', async (t) => {
  const { world, chunks, pass } = setUp(t);
  const kept = await world.upload(1, 2);
  const gone = await world.upload(3, 4);
  await pass(2 * (rotateMs + SETTLE_MS + DWELL_MS));
  assert.equal((await chunks()).length, 4, 'nothing is collected while all is live');
  world.live.delete(gone);
  await pass(2 * (rotateMs + SETTLE_MS + DWELL_MS));
  assert.equal((await chunks()).length, 2);
  await world.read(kept);
  await world.checkRootsAreWhole();
});

test('nothing is deleted when nothing is live, as after a lost database', async (t) => {
  const { world, chunks, pass } = setUp(t);
  await world.upload(1, 2);
  world.live.clear();
  await pass(3 * (rotateMs + SETTLE_MS + DWELL_MS));
  assert.equal((await chunks()).length, 2);
});

test('nothing is deleted while a live manifest is missing', async (t) => {
  const { world, chunks, pass } = setUp(t);
  await world.upload(1, 2);
  const gone = await world.upload(3, 4);
  world.live.delete(gone);
  world.live.set('elsewhere', [9]);
  await pass(3 * (rotateMs + SETTLE_MS + DWELL_MS));
  assert.equal((await chunks()).length, 4);
});

test('nothing is deleted once the origin is another region’s', async (t) => {
  const { world, owner, chunks, pass } = setUp(t);
  await world.upload(1, 2);
  world.live.delete(await world.upload(3, 4));
  owner.isOurs = false;
  await pass(3 * (rotateMs + SETTLE_MS + DWELL_MS));
  assert.equal((await chunks()).length, 4);
  owner.isOurs = true;
  await pass(3 * (rotateMs + SETTLE_MS + DWELL_MS));
  assert.equal((await chunks()).length, 2);
});

test('roots that are empty go without an operator', async (t) => {
  const { world, pass, states } = setUp(t);
  await world.origin.activeRoot();
  await world.collector.rotate();
  await pass(2 * (rotateMs + SETTLE_MS + DWELL_MS));
  assert.deepEqual(await states(), ['deleted', 'active']);
});

test('a root takes uploads for its time, and goes on where there is nothing to gain', async (t) => {
  const { world, pass, states } = setUp(t);
  await world.upload(1);
  const gone = await world.upload(2);
  await pass(3 * rotateMs);
  assert.deepEqual(await states(), ['active'], 'all of it is live');
  world.live.delete(gone);
  await pass(everyMs);
  assert.deepEqual(await states(), ['retired', 'active']);
  await world.upload(3);
  world.live.delete(await world.upload(4));
  const { length } = (await states()).filter((state) => state === 'active');
  await pass(rotateMs - 2 * everyMs);
  assert.equal((await states()).length - length, 1, 'the new one is young');
});

test('a root is rotated out as soon as it has had its time', async (t) => {
  const { world, pass, states } = setUp(t);
  await world.upload(1);
  world.live.delete(await world.upload(2));
  await pass(rotateMs - everyMs);
  assert.deepEqual(await states(), ['active']);
  await pass(everyMs);
  assert.deepEqual(await states(), ['retired', 'active']);
});

test('a round looks once where there is nothing to do', async (t) => {
  let looks = 0;
  const { world, pass } = setUp(t, (origin) => ({
    ...origin,
    listRoots: async () => {
      looks++;
      return await origin.listRoots();
    },
  }));
  await world.upload(1);
  await pass(3 * everyMs);
  assert.equal(looks, 3);
});

test('a round that failed is followed by another', async (t) => {
  let failures = 3;
  const { world, chunks, pass } = setUp(t, (origin) => ({
    ...origin,
    listRoots: async () => {
      if (failures-- > 0) throw new Error('the origin is away');
      return await origin.listRoots();
    },
  }));
  await world.upload(1);
  world.live.delete(await world.upload(2));
  await pass(2 * (rotateMs + SETTLE_MS + DWELL_MS));
  assert.ok(failures < 0);
  assert.equal((await chunks()).length, 1);
});

test('what was read after all is copied and kept until an operator has looked', async (t) => {
  const { world, chunks, pass, states } = setUp(t);
  await world.upload(1);
  const gone = await world.upload(2);
  world.live.delete(gone);
  const { rootId } = await world.origin.findManifest(gone);
  await pass(rotateMs + SETTLE_MS + 2 * everyMs);
  assert.deepEqual(await states(), ['expired', 'active']);
  await world.origin.getManifest(rootId, gone);
  await pass(2 * DWELL_MS);
  assert.deepEqual([(await states())[0], (await chunks()).length], ['expired', 3]);
  await world.collector.resume();
  await pass(2 * everyMs);
  assert.deepEqual([(await states())[0], (await chunks()).length], ['deleted', 1]);
});

test('closing waits for the round under way, and no other follows', async (t) => {
  let letGo = () => {};
  let rounds = 0;
  const { world, schedule } = setUp(t, (origin) => ({
    ...origin,
    listRoots: async () => {
      rounds++;
      await new Promise<void>((resolve) => {
        letGo = resolve;
      });
      return await origin.listRoots();
    },
  }));
  await world.clock.advance(everyMs);
  assert.equal(rounds, 1);
  let closed = false;
  const closing = schedule.close().then(() => {
    closed = true;
  });
  await world.clock.advance(0);
  assert.equal(closed, false);
  letGo();
  await closing;
  await world.clock.advance(10 * everyMs);
  assert.deepEqual([rounds, world.clock.pending], [1, 0]);
});

test('closing between two rounds ends the wait for the next', async (t) => {
  const { world, schedule } = setUp(t);
  assert.equal(world.clock.pending, 1);
  await schedule.close();
  assert.equal(world.clock.pending, 0);
});
