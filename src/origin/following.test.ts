import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError, systemClock, systemRandom } from '../base/mod.ts';
import { nameOf } from '../seal/mod.ts';
import { followingMigrations, memoryOrigin } from './mod.ts';
import { collect, sealedManifest } from './origin.fixture.ts';

const chunk = Buffer.from('a chunk');
const name = nameOf(chunk);

/** Roots in the order of their migration, the first the oldest; the last is active. */
async function chain(length: number) {
  const origin = memoryOrigin({ clock: systemClock, random: systemRandom });
  const roots: string[] = [];
  for (let index = 0; index < length; index++) roots.push(await origin.createRoot());
  const retire = async () => {
    for (const [index, rootId] of roots.slice(0, -1).entries()) {
      await origin.advanceRoot(rootId, 'retired');
      await origin.markMigrated(rootId, roots[index + 1] as string);
    }
  };
  return { origin, roots, retire, source: followingMigrations(origin, origin) };
}

test('a root that goes nowhere is read where it is', async () => {
  const { origin, roots, source } = await chain(1);
  const ref = { rootId: roots[0] as string, name };
  await origin.put(ref, chunk);
  assert.deepEqual(await source.get(ref), chunk);
});

test('the last copy is read first, whatever root is asked for', async () => {
  const { origin, roots, retire, source } = await chain(3);
  for (const rootId of roots) await origin.put({ rootId, name }, chunk);
  await retire();
  for (const rootId of roots.slice(0, -1)) await origin.advanceRoot(rootId, 'expired');
  for (const rootId of roots) assert.deepEqual(await source.get({ rootId, name }), chunk);
  assert.deepEqual(await collect(origin.alarms()), []);
  for (const rootId of roots.slice(0, -1)) await origin.advanceRoot(rootId, 'deleted');
  for (const rootId of roots) assert.deepEqual(await source.get({ rootId, name }), chunk);
});

test('a chunk that was left behind is found in its old root, and raises an alarm if that has expired', async () => {
  const { origin, roots, retire, source } = await chain(3);
  const [oldest, , newest] = roots as [string, string, string];
  await origin.put({ rootId: oldest, name }, chunk);
  await retire();
  assert.deepEqual(await source.get({ rootId: newest, name }), chunk);
  assert.deepEqual(await collect(origin.alarms()), []);
  await origin.advanceRoot(oldest, 'expired');
  assert.deepEqual(await source.get({ rootId: newest, name }), chunk);
  assert.deepEqual(await collect(origin.alarms()), [{ rootId: oldest, kind: 'chunk', name }]);
});

test('a chunk in several roots is copied to several, and found in the one that has it', async () => {
  const { origin, roots, source } = await chain(3);
  const [old, a, b] = roots as [string, string, string];
  await origin.put({ rootId: b, name }, chunk);
  await origin.advanceRoot(old, 'retired');
  await origin.markMigrated(old, a);
  await origin.markMigrated(old, b);
  assert.deepEqual(await source.get({ rootId: old, name }), chunk);
});

test('a chunk in no root is missing, and other failures are not hidden', async () => {
  const { origin, roots, retire, source } = await chain(2);
  await retire();
  const ref = { rootId: roots[0] as string, name };
  await assert.rejects(source.get(ref), { code: 'CHUNK_MISSING' });
  const broken = {
    get: async () => {
      throw new SluiceError('ORIGIN_UNAVAILABLE', 'not now');
    },
  };
  await assert.rejects(followingMigrations(broken, origin).get(ref), {
    code: 'ORIGIN_UNAVAILABLE',
  });
});

test('a manifest in use raises an alarm only if it is in an expired root alone', async () => {
  const { origin, roots, retire } = await chain(3);
  const [oldest, middle, newest] = roots as [string, string, string];
  const manifestId = 'm1';
  const put = async (rootId: string) =>
    origin.putManifest(rootId, manifestId, await sealedManifest({ manifestId, rootId }));
  const alarmsAfterUse = async () => {
    await origin.noteUse(oldest, manifestId);
    return await collect(origin.alarms());
  };
  await put(oldest);
  await put(middle);
  await retire();
  assert.deepEqual(await alarmsAfterUse(), [], 'retired');
  await origin.advanceRoot(oldest, 'expired');
  assert.deepEqual(await alarmsAfterUse(), [], 'the middle one has it');
  await origin.advanceRoot(middle, 'expired');
  const alarm = { rootId: oldest, kind: 'manifest', name: manifestId };
  assert.deepEqual(await alarmsAfterUse(), [alarm], 'the newest does not have it');
  await origin.clearAlarms();
  await put(newest);
  assert.deepEqual(await alarmsAfterUse(), [], 'the newest has it');
});
