import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError, type Meter, noMeter, SeededRandom } from '../base/mod.ts';
import { collectorView } from '../origin/mod.ts';
import { Inventory } from './inventory.ts';
import { Migration, type MigrationProgress } from './migration.ts';
import type { CollectedOrigin } from './mod.ts';
import { World } from './world.fixture.ts';

const CHUNK_BYTES = 64;

/** A world whose root was rotated, with two manifests of four chunks, one of which they share. */
async function rotated(tamper?: (origin: CollectedOrigin) => CollectedOrigin) {
  const world = new World(new SeededRandom(3), tamper);
  const ids = [await world.upload(1, 2, 3), await world.upload(3, 4)];
  const to = await world.collector.rotate();
  return { world, ids, to };
}

test('a migration tells how far it has got, and in the end what it did', async () => {
  const { world } = await rotated();
  const told: MigrationProgress[] = [];
  const report = await world.collector.migrate({ onProgress: (each) => told.push({ ...each }) });
  assert.deepEqual(
    told.map(({ manifestsDone, manifestsTotal }) => [manifestsDone, manifestsTotal]),
    [
      [1, 2],
      [2, 2],
    ],
  );
  const total = { manifestsTotal: 2, manifestsDone: 2, manifestsCopied: 2 };
  const copied = { chunksCopied: 4, chunksPresent: 0, bytesCopied: 4 * CHUNK_BYTES };
  assert.deepEqual(report, { ...total, ...copied });
  const again = await world.collector.migrate({ recheck: true });
  const nothing = { chunksCopied: 0, chunksPresent: 4, bytesCopied: 0 };
  assert.deepEqual(again, { ...total, ...nothing, manifestsCopied: 0 }, 'each is verified once');
  assert.equal((await world.collector.migrate()).chunksPresent, 0, 'unless nobody asks for it');
});

test('an old root says where its manifests went before it expires', async () => {
  const { world, to } = await rotated();
  const old = async () => {
    const [root] = (await world.collector.status()).roots;
    return [root?.state, root?.migratedTo];
  };
  assert.deepEqual(await old(), ['retired', []]);
  await world.collector.migrate();
  assert.deepEqual(await old(), ['retired', [to]]);
});

test('what was copied is counted for the operator', async () => {
  const { world } = await rotated();
  const counts = new Map<string, number>();
  const meter: Meter = {
    ...noMeter,
    counter: (name) => ({ add: (by = 1) => void counts.set(name, (counts.get(name) ?? 0) + by) }),
  };
  const origin = collectorView(world.origin);
  const inventory = await Inventory.take(origin, { liveManifests: () => keysOf(world.live) });
  await new Migration(origin, meter, () => {}).run(inventory, false);
  assert.deepEqual(Object.fromEntries(counts), {
    sluice_gc_copied_chunks_total: 4,
    sluice_gc_copied_bytes_total: 4 * CHUNK_BYTES,
  });
});

async function* keysOf(live: ReadonlyMap<string, unknown>): AsyncIterable<string> {
  yield* [...live.keys()];
}

test('a migration remembers a limited number of names, and verifies anew what it forgot', async () => {
  const { world, ids } = await rotated();
  const origin = collectorView(world.origin);
  const inventory = await Inventory.take(origin, { liveManifests: () => keysOf(world.live) });
  const report = await new Migration(origin, noMeter, () => {}, 3).run(inventory, false);
  assert.deepEqual([report.chunksCopied, report.chunksPresent], [4, 0], 'three are remembered');
  const recheck = await new Migration(origin, noMeter, () => {}, 1).run(
    await Inventory.take(origin, { liveManifests: () => keysOf(world.live) }),
    true,
  );
  assert.deepEqual([recheck.chunksCopied, recheck.chunksPresent], [0, 4]);
  const forgetful = new Migration(origin, noMeter, () => {}, 0);
  const verified = await forgetful.run(inventory, true);
  assert.ok(verified.chunksPresent >= 4);
  for (const id of ids) await world.read(id);
});

test('a chunk or a manifest that none of the old roots has is named', async () => {
  const missing = async (tamper: (origin: CollectedOrigin) => CollectedOrigin) => {
    const { world, to } = await rotated(tamper);
    const error: unknown = await world.collector.migrate().then(
      () => assert.fail('it is missing'),
      (each: unknown) => each,
    );
    assert.deepEqual(await world.keys(`roots/${to}/manifests/`), []);
    return error;
  };
  const chunk = await missing((origin) => ({
    ...origin,
    readForCopy: (ref) => origin.readForCopy({ ...ref, name: '00'.repeat(32) }),
  }));
  assert.ok(isSluiceError(chunk, 'CHUNK_MISSING'));
  assert.match(String(chunk.data['chunk']), /^[0-9a-f]{64}$/);
  const manifest = await missing((origin) => ({
    ...origin,
    readManifestForCopy: async () => undefined,
  }));
  assert.ok(isSluiceError(manifest, 'MANIFEST_NOT_FOUND'));
  assert.equal(manifest.data['manifestId'], 'm-1');
});

test('a migration that failed has stopped: nothing is copied behind its caller', async () => {
  let puts = 0;
  let reads = 0;
  const { world } = await rotated((origin) => ({
    ...origin,
    put: async (ref, bytes) => {
      if (reads++ === 0) throw new Error('the first fails at once');
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      puts++;
      return await origin.put(ref, bytes);
    },
  }));
  await assert.rejects(world.collector.migrate(), /the first fails/);
  const before = puts;
  assert.equal(before, 2, 'the other chunks of the manifest had begun');
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(puts, before);
});
