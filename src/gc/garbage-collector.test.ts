import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError, SeededRandom, SluiceError } from '../base/mod.ts';
import { packIdOf, sealChunk, sealPack } from '../seal/mod.ts';
import type { CollectedOrigin } from './mod.ts';
import { DWELL_MS, SETTLE_MS, World } from './world.fixture.ts';

const world = (tamper?: (origin: CollectedOrigin) => CollectedOrigin) =>
  new World(new SeededRandom(11), tamper);

async function states(of: World): Promise<string[]> {
  return (await of.collector.status()).roots.map(({ state }) => state);
}

test('a whole life: what is live moves on, what is not goes with its root', async () => {
  const region = world();
  const kept = await region.upload(1, 2, 3);
  const dropped = await region.upload(3, 4, 5);
  region.live.delete(dropped);
  const rotated = await region.collector.rotate();
  assert.deepEqual(await states(region), ['retired', 'active']);

  const early = await region.collector.expire();
  assert.equal(early.referenced[0]?.manifests, 1);
  assert.deepEqual(early.referenced[0]?.manifestIds, [kept]);
  const report = await region.collector.migrate();
  assert.deepEqual([report.manifestsCopied, report.chunksCopied], [1, 3]);
  assert.equal((await region.origin.findManifest(kept)).rootId, rotated);

  assert.equal((await region.collector.expire()).waiting.length, 1);
  region.clock.jump(SETTLE_MS);
  assert.equal((await region.collector.expire()).expired.length, 1);
  assert.equal((await region.collector.delete()).waiting.length, 1);
  region.clock.jump(DWELL_MS);
  assert.equal((await region.collector.delete()).objects, 5 + 2);
  assert.deepEqual(await states(region), ['deleted', 'active']);
  await region.read(kept);
  await assert.rejects(region.origin.findManifest(dropped), { code: 'MANIFEST_NOT_FOUND' });
  assert.deepEqual((await region.collector.status()).lost, []);
});

test('a start pack moves with its manifest, and one that lacks a chunk stays behind', async () => {
  const region = world();
  const whole = await region.upload(1, 2);
  const broken = await region.upload(3);
  const { rootId } = await region.origin.findManifest(whole);
  const sealed = sealChunk(Buffer.alloc(32, 9), Buffer.alloc(64, 9));
  const chunk = sealed.name;
  await region.origin.put({ rootId, name: chunk }, sealed.ciphertext);
  const packOf = (id: string, name: string) =>
    sealPack(
      {
        ...{
          manifestId: packIdOf(id),
          rootId,
          accountId: '000000000000',
          createdAtMs: 0,
          metadata: {},
        },
        ...{ diskBytes: 64, chunkSizeBytes: 64, chunks: [{ name, key: Buffer.alloc(32) }] },
      },
      Buffer.alloc(32, 1),
      new SeededRandom(1),
    );
  const pack = packOf(whole, chunk);
  await region.origin.putPack(rootId, whole, pack);
  await region.origin.putPack(rootId, broken, packOf(broken, 'a'.repeat(64)));

  const rotated = await region.collector.rotate();
  await region.collector.migrate();
  assert.deepEqual(await region.origin.getPack(rotated, whole), pack);
  assert.equal((await region.origin.findDisk(whole)).rootId, rotated);
  assert.ok(await region.origin.get({ rootId: rotated, name: chunk }));
  assert.equal((await region.origin.findDisk(broken)).pack, undefined);
  await region.read(broken);
});

test('copied chunks keep their names; the same plaintext uploaded again gets new ones', async () => {
  const region = world();
  const old = await region.upload(1);
  await region.collector.rotate();
  await region.collector.migrate();
  const fresh = await region.upload(1);
  const rootId = await region.origin.activeRoot();
  assert.equal((await region.keys(`roots/${rootId}/chunks/`)).length, 2);
  await region.read(old);
  await region.read(fresh);
});

test('a device that was opened before a migration reads on, without an alarm', async () => {
  const region = world();
  const manifestId = await region.upload(1, 2);
  const { rootId } = await region.origin.findManifest(manifestId);
  await region.collector.rotate();
  await region.collector.migrate();
  region.clock.jump(SETTLE_MS);
  await region.collector.expire();
  region.clock.jump(DWELL_MS);
  await region.read(manifestId, rootId);
  await region.collector.delete();
  await region.read(manifestId, rootId);
  assert.equal((await region.collector.status()).alarms, 0);
});

test('a migration that is run again copies nothing twice and finishes what was cut off', async () => {
  for (let writes = 0; writes < 12; writes++) {
    const region = world();
    const ids = [await region.upload(1, 2, 3), await region.upload(3, 4)];
    await region.collector.rotate();
    await region.collectUntilCrash(writes, (collector) => collector.migrate());
    await region.checkRootsAreWhole();
    const report = await region.collector.migrate();
    assert.ok(report.chunksCopied + writes >= 4);
    assert.equal((await region.collector.migrate()).chunksCopied, 0);
    for (const id of ids) await region.read(id);
  }
});

test('a migration that skips a chunk: the read alarms, nothing is deleted, a rerun repairs', async () => {
  let skipping = true;
  const skipped: string[] = [];
  // Believes of each third chunk that it is in the new root already.
  const region = world((origin) => ({
    ...origin,
    readForCopy: async (ref) => {
      try {
        return await origin.readForCopy(ref);
      } catch (error) {
        const skips = skipping && isSluiceError(error, 'CHUNK_MISSING');
        if (!skips || Number.parseInt(ref.name.slice(0, 4), 16) % 3 !== 0) throw error;
        skipped.push(ref.name);
        return Buffer.alloc(0);
      }
    },
  }));
  const manifestId = await region.upload(...Array.from({ length: 12 }, (_, i) => i + 1));
  const [expired] = (await region.collector.status()).roots;
  assert.ok(expired);
  await region.collector.rotate();
  await region.collector.migrate();
  assert.ok(skipped.length > 0, 'the fault was injected');
  region.clock.jump(SETTLE_MS);
  await region.collector.expire();
  region.clock.jump(DWELL_MS);
  const before = await region.keys(`roots/${expired.rootId}/`);

  await region.read(manifestId);
  const { alarms, deletionStopped } = await region.collector.status();
  assert.equal(alarms, skipped.length);
  assert.ok(deletionStopped);
  await assert.rejects(region.collector.delete(), { code: 'DELETION_STOPPED' });
  assert.deepEqual(await region.keys(`roots/${expired.rootId}/`), before);

  skipping = false;
  const repair = await region.collector.migrate();
  assert.equal(repair.chunksCopied, skipped.length);
  assert.deepEqual(await region.collector.resume(), { alarmsCleared: skipped.length });
  await region.collector.delete();
  assert.deepEqual(await region.keys(`roots/${expired.rootId}/`), []);
  await region.read(manifestId);
  await region.checkRootsAreWhole();
  assert.equal((await region.collector.status()).alarms, 0);
});

test('an alarm in the middle of a deletion stops it before the next batch', async () => {
  let batches = 0;
  const region = world((origin) => ({
    ...origin,
    removeBatch: async (rootId) => {
      const removed = await origin.removeBatch(rootId, 2);
      if (++batches === 2) {
        const name = '00'.repeat(32);
        await region.origin.get({ rootId, name }).catch(() => {});
      }
      return removed;
    },
  }));
  region.live.delete(await region.upload(1, 2, 3, 4, 5, 6, 7));
  await region.collector.rotate();
  region.clock.jump(SETTLE_MS);
  await region.collector.expire();
  region.clock.jump(DWELL_MS);
  await assert.rejects(region.collector.delete(), { code: 'DELETION_STOPPED' });
  assert.equal(batches, 2);
  await region.collector.resume();
  await region.collector.delete();
  assert.deepEqual(await states(region), ['deleted', 'active']);
});

test('a region that loses its origin in the middle of a deletion deletes no other batch', async () => {
  let batches = 0;
  const region = world((origin) => ({
    ...origin,
    removeBatch: async (rootId) => {
      if (++batches === 2) region.isOurs = false;
      return await origin.removeBatch(rootId, 2);
    },
  }));
  region.live.delete(await region.upload(1, 2, 3, 4, 5, 6, 7));
  await region.collector.rotate();
  region.clock.jump(SETTLE_MS);
  await region.collector.expire();
  region.clock.jump(DWELL_MS);
  await assert.rejects(region.collector.delete(), /another region/);
  assert.equal(batches, 2);
});

test('a chunk that rotted is reported by name and its manifest does not move', async () => {
  const region = world();
  const manifestId = await region.upload(1, 2);
  const [key] = await region.keys('roots/');
  await region.objects.replace(key ?? assert.fail(), Buffer.from('rotten'));
  const rotated = await region.collector.rotate();
  await assert.rejects(region.collector.migrate(), { code: 'CHUNK_CORRUPT' });
  assert.deepEqual(await region.keys(`roots/${rotated}/manifests/`), []);
  region.clock.jump(SETTLE_MS);
  const { expired, referenced } = await region.collector.expire();
  assert.deepEqual(expired, []);
  assert.deepEqual(referenced[0]?.manifestIds, [manifestId]);
});

test("two retired roots with copies of one manifest do not expire for each other's sake", async () => {
  const region = world();
  const manifestId = await region.upload(1);
  await region.collector.rotate();
  await region.collector.migrate();
  await region.collector.rotate();
  region.clock.jump(SETTLE_MS);
  const { expired, referenced } = await region.collector.expire();
  assert.deepEqual(expired, []);
  assert.equal(referenced.length, 2);
  await region.collector.migrate();
  assert.equal((await region.collector.expire()).expired.length, 2);
  await region.read(manifestId);
});

test("several active roots: each manifest moves to its account's, and readers find both", async () => {
  const region = world();
  const ids = [await region.upload(1), await region.upload(2)];
  await region.collector.rotate();
  await region.origin.createRoot();
  await region.collector.migrate();
  region.clock.jump(SETTLE_MS);
  assert.equal((await region.collector.expire()).expired.length, 1);
  for (const id of ids) await region.read(id);
  assert.deepEqual(await states(region), ['expired', 'active', 'active']);
});

test('a live manifest that is missing is reported, and an only copy is not deleted', async () => {
  const region = world();
  region.live.set('never-stored', []);
  const manifestId = await region.upload(1);
  const blocks = region.live.get(manifestId) ?? assert.fail();
  region.live.delete(manifestId);
  await region.collector.rotate();
  region.clock.jump(SETTLE_MS);
  await region.collector.expire();
  region.clock.jump(DWELL_MS);
  // Somebody counts it as live again, without ever reading it.
  region.live.set(manifestId, blocks);
  await assert.rejects(region.collector.delete(), (error) => {
    return error instanceof SluiceError && error.code === 'ROOT_STILL_REFERENCED';
  });
  assert.deepEqual((await region.collector.status()).lost, ['never-stored']);
  await region.collector.migrate();
  await region.collector.delete();
  await region.read(manifestId);
});
