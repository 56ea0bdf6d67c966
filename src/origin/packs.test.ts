import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { systemClock, systemRandom } from '../base/mod.ts';
import { MemoryObjects } from './memory-objects.ts';

import { sealedManifest, sealedPack } from './origin.fixture.ts';
import { StoredOrigin } from './stored-origin.ts';

const outside = { clock: systemClock, random: systemRandom };

test('a pack that is another manifest’s, or none at all, is counted and is none', async () => {
  const counts: [string, unknown][] = [];
  const counter = (name: string) => ({
    add: (_value?: number, labels?: object) => void counts.push([name, labels]),
  });
  const nothing = () => ({ set: () => {}, observe: () => {} });
  const meter = { counter, gauge: nothing, histogram: nothing };
  const objects = new MemoryObjects();
  const origin = new StoredOrigin(objects, { ...outside, meter });
  const rootId = await origin.activeRoot();
  const manifest = await sealedManifest({ manifestId: 'm-1', rootId });
  await origin.putManifest(rootId, 'm-1', manifest);
  await origin.putPack(rootId, 'm-1', await sealedPack('m-1', rootId));
  const damaged = [await sealedPack('m-2', rootId), manifest, Buffer.from('?'), Buffer.alloc(0)];
  for (const bytes of damaged) {
    await objects.replace(`roots/${rootId}/packs/m-1`, bytes);
    assert.equal(await origin.getPack(rootId, 'm-1'), undefined);
    assert.equal((await origin.findDisk('m-1')).pack, undefined, 'and its disk is found without');
  }
  const corrupt = counts.filter(([, labels]) => (labels as { kind?: string }).kind === 'pack');
  assert.equal(corrupt.length, 2 * damaged.length);
});

test('a pack is not there before its chunks are safe', async () => {
  const settled = Promise.withResolvers<void>();
  const asked: string[] = [];
  const name = 'ab'.repeat(32);
  const objects = new MemoryObjects();
  const settle = async (keys: Iterable<string>) => {
    asked.push(...[...keys].filter((key) => key.endsWith(name)));
    if (asked.length > 0) await settled.promise;
  };
  const origin = new StoredOrigin(Object.assign(objects, { settle }), outside);
  const rootId = await origin.activeRoot();
  const pack = await sealedPack('m-1', rootId, [{ name, key: Buffer.alloc(32) }]);
  const put = origin.putPack(rootId, 'm-1', pack);
  await setImmediate();
  assert.equal(await origin.getPack(rootId, 'm-1'), undefined);
  settled.resolve();
  await put;
  assert.deepEqual(await origin.getPack(rootId, 'm-1'), pack);
  assert.equal(asked.length, 1);
});
