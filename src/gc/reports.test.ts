import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError, limits, SeededRandom } from '../base/mod.ts';
import type { CollectedOrigin } from './mod.ts';
import { DWELL_MS, SETTLE_MS, World } from './world.fixture.ts';

const world = (tamper?: (origin: CollectedOrigin) => CollectedOrigin) =>
  new World(new SeededRandom(5), tamper);

test('the status says of each root what it holds, since when, and what of it is needed', async () => {
  const region = world();
  const [kept, dropped] = [await region.upload(1, 2), await region.upload(3)];
  const { rootId: first } = await region.origin.findManifest(kept);
  region.live.delete(dropped);
  region.live.set('nowhere', []);
  const bornMs = await region.origin.stateSinceMs(first, 'active');
  region.clock.jump(5000);
  const retiredMs = region.clock.nowMs();
  const second = await region.collector.rotate();
  const status = await region.collector.status();
  const { bytes } = await region.origin.usage(first);
  assert.ok(bytes > 3 * 64);
  const none = { migratedTo: [], alarms: 0, liveOnlyHere: 0, liveManifests: 0 };
  assert.deepEqual(status, {
    roots: [
      {
        ...{ ...none, rootId: first, state: 'retired', sinceMs: retiredMs, liveManifests: 1 },
        ...{ liveOnlyHere: 1, manifests: 2, chunks: 3, bytes },
      },
      {
        ...{ ...none, rootId: second, state: 'active', sinceMs: retiredMs },
        ...{ manifests: 0, chunks: 0, bytes: 0 },
      },
    ],
    ...{ alarms: 0, deletionStopped: false, lost: ['nowhere'] },
  });
  assert.ok(bornMs !== undefined && bornMs < retiredMs);

  await region.collector.migrate();
  region.clock.jump(SETTLE_MS);
  await region.collector.expire();
  for (const name of ['aa', 'bb']) {
    await region.origin.get({ rootId: first, name: name.repeat(32) }).catch(() => {});
    assert.equal((await region.collector.status()).deletionStopped, true, 'by the first already');
  }
  const alarmed = await region.collector.status();
  assert.deepEqual([alarmed.alarms, alarmed.deletionStopped], [2, true]);
  assert.deepEqual(
    alarmed.roots.map(({ state, alarms, migratedTo }) => [state, alarms, migratedTo]),
    [
      ['expired', 2, [second]],
      ['active', 0, []],
    ],
  );
  region.clock.jump(DWELL_MS);
  await assert.rejects(region.collector.delete(), (error) => {
    assert.ok(isSluiceError(error, 'DELETION_STOPPED'));
    assert.deepEqual([error.data['rootId'], error.data['kind']], [first, 'chunk']);
    return true;
  });
  assert.deepEqual(await region.collector.resume(), { alarmsCleared: 2 });
  assert.equal((await region.collector.delete()).deleted[0], first);
});

test('a manifest that only an expired root has is told apart from one with a copy', async () => {
  const region = world();
  const manifestId = await region.upload(1);
  const { rootId } = await region.origin.findManifest(manifestId);
  const blocks = region.live.get(manifestId) ?? assert.fail();
  region.live.delete(manifestId);
  await region.collector.rotate();
  region.clock.jump(SETTLE_MS);
  await region.collector.expire();
  region.live.set(manifestId, blocks);
  const only = async () => {
    const { roots, lost } = await region.collector.status();
    const { liveManifests, liveOnlyHere } = roots.find((each) => each.rootId === rootId) ?? {};
    return [liveManifests, liveOnlyHere, lost.length];
  };
  assert.deepEqual(await only(), [1, 1, 0]);
  await region.collector.migrate();
  assert.deepEqual(await only(), [1, 0, 0]);
});

test('what has to wait is told with the time from when it may go on', async () => {
  const region = world();
  region.live.delete(await region.upload(1));
  const [root] = (await region.collector.status()).roots;
  await region.collector.rotate();
  const rootId = root?.rootId ?? '';
  const retired = { rootId, readyAtMs: region.clock.nowMs() + SETTLE_MS };
  region.clock.jump(SETTLE_MS - 1);
  const nothing = { expired: [], referenced: [] };
  assert.deepEqual(await region.collector.expire(), { ...nothing, waiting: [retired] });
  region.clock.jump(1);
  const done = { expired: [rootId], waiting: [], referenced: [] };
  assert.deepEqual(await region.collector.expire(), done);
  const expired = { rootId, readyAtMs: region.clock.nowMs() + DWELL_MS };
  region.clock.jump(DWELL_MS - 1);
  const kept = { deleted: [], objects: 0, waiting: [expired] };
  assert.deepEqual(await region.collector.delete(), kept);
  region.clock.jump(1);
  const gone = { deleted: [rootId], objects: 2, waiting: [] };
  assert.deepEqual(await region.collector.delete(), gone);
});

test('of many manifests some are named', async () => {
  const region = world();
  const { idsReported } = limits.gc;
  for (let n = 0; n < idsReported + 2; n++) await region.upload(1);
  await region.collector.rotate();
  const [referenced] = (await region.collector.expire()).referenced;
  assert.equal(referenced?.manifests, idsReported + 2);
  assert.equal(referenced?.manifestIds.length, idsReported);
  for (let n = 0; n < idsReported + 2; n++) region.live.set(`lost-${n}`, []);
  assert.equal((await region.collector.status()).lost.length, idsReported);
});

test('a step has ended only when what it says of the roots is stored', async () => {
  const stored: string[] = [];
  const late = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  const region = world((origin) => ({
    ...origin,
    advanceRoot: async (rootId, state) => {
      await late();
      await origin.advanceRoot(rootId, state);
      stored.push(state);
    },
    markMigrated: async (rootId, to) => {
      await late();
      await origin.markMigrated(rootId, to);
      stored.push('migrated');
    },
    readForCopy: async (ref) => {
      await late();
      return await origin.readForCopy(ref);
    },
    getPack: async (rootId, manifestId) => {
      await late();
      const pack = await origin.getPack(rootId, manifestId);
      stored.push('pack');
      return pack;
    },
  }));
  await region.upload(1);
  const step = async (work: Promise<unknown>) => {
    await work;
    return stored.splice(0);
  };
  assert.deepEqual(await step(region.collector.rotate()), ['retired']);
  assert.deepEqual(await step(region.collector.migrate()), ['pack', 'migrated']);
  const { chunksPresent } = await region.collector.migrate({ recheck: true });
  assert.equal(chunksPresent, 1, 'all of it is verified by then');
  stored.length = 0;
  region.clock.jump(SETTLE_MS);
  assert.deepEqual(await step(region.collector.expire()), ['migrated', 'expired']);
  region.clock.jump(DWELL_MS);
  assert.deepEqual(await step(region.collector.delete()), ['deleted']);
});

test('a rotation retires what is active and leaves older roots as they are', async () => {
  const region = world();
  await region.upload(1);
  await region.collector.rotate();
  await region.origin.createRoot();
  const states = async () => (await region.collector.status()).roots.map(({ state }) => state);
  assert.deepEqual(await states(), ['retired', 'active', 'active']);
  const retiredMs = region.clock.nowMs();
  region.clock.jump(1000);
  await region.collector.rotate();
  const { roots } = await region.collector.status();
  assert.deepEqual(
    roots.map(({ state, sinceMs }) => [state, (sinceMs ?? 0) - retiredMs]),
    [
      ['retired', 0],
      ['retired', 1000],
      ['retired', 1000],
      ['active', 1000],
    ],
  );
});
