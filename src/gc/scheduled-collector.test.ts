import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { noLogger, SeededRandom } from '../base/mod.ts';
import { ScheduledCollector } from './scheduled-collector.ts';
import { DWELL_MS, SETTLE_MS, World } from './world.fixture.ts';

const everyMs = 10_000;
const rotateMs = 60_000;

function setUp(t: TestContext) {
  const world = new World(new SeededRandom(7));
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
  return { world, owner, chunks, pass };
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
