import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { systemRandom } from '../base/mod.ts';
import { type ChunkRef, nameOf, readManifestHeader } from '../seal/mod.ts';
import { collect, sealedManifest, sealedPack } from './origin.fixture.ts';
import type { Origin } from './origin.ts';

/** What every origin must do; `open` answers an empty one, or undefined to skip. */
export function originConformance(
  name: string,
  open: (t: TestContext) => Promise<Origin | undefined>,
): void {
  const check = (what: string, body: (origin: Origin) => Promise<void>): void => {
    test(`${name}: ${what}`, async (t) => {
      const origin = await open(t);
      if (origin) await body(origin);
    });
  };

  check('stores a chunk once and gives it back verified', async (origin) => {
    const { ref, ciphertext } = await someChunk(origin);
    assert.equal(await origin.put(ref, ciphertext), 'stored');
    assert.equal(await origin.put(ref, ciphertext), 'present');
    assert.deepEqual(await origin.get(ref), ciphertext);
    assert.deepEqual(await collect(origin.listChunks(ref.rootId)), [ref.name]);
  });

  check('names what is not there', async (origin) => {
    const rootId = await origin.activeRoot();
    const ref = { rootId, name: nameOf(Buffer.from('never put')) };
    await assert.rejects(origin.get(ref), { code: 'CHUNK_MISSING' });
    await assert.rejects(origin.get({ rootId, name: '../../x' }), { code: 'CHUNK_MISSING' });
    await assert.rejects(origin.get({ ...ref, rootId: 'none' }), { code: 'ROOT_NOT_FOUND' });
    await assert.rejects(origin.put({ ...ref, rootId: 'none' }, Buffer.from('x')), {
      code: 'ROOT_NOT_FOUND',
    });
    await assert.rejects(origin.getManifest(rootId, 'none'), { code: 'MANIFEST_NOT_FOUND' });
    await assert.rejects(origin.findManifest('../none'), { code: 'MANIFEST_NOT_FOUND' });
  });

  check('makes its first root once, however many ask', async (origin) => {
    const ids = await Promise.all([1, 2, 3].map(() => origin.activeRoot()));
    assert.equal(new Set(ids).size, 1);
    assert.equal(await origin.activeRoot('some account'), ids[0]);
    assert.deepEqual(await origin.rootStatus(ids[0] as string), {
      rootId: ids[0],
      state: 'active',
      migratedTo: [],
    });
  });

  check('keeps manifests: put, get, find, list, replace, remove', async (origin) => {
    const rootId = await origin.activeRoot();
    const bytes = await sealedManifest({ manifestId: 'm-1', rootId });
    await origin.putManifest(rootId, 'm-1', bytes);
    await origin.putManifest(rootId, 'm-1', bytes);
    const rewritten = await sealedManifest({ manifestId: 'm-1', rootId });
    await assert.rejects(origin.putManifest(rootId, 'm-1', rewritten), { code: 'STORE_CONFLICT' });
    assert.deepEqual(await origin.getManifest(rootId, 'm-1'), bytes);
    assert.deepEqual(await origin.findManifest('m-1'), { rootId, manifestId: 'm-1', bytes });
    assert.deepEqual(await collect(origin.listManifests(rootId)), ['m-1']);
    await origin.replaceManifest(rootId, 'm-1', rewritten);
    assert.deepEqual(await origin.getManifest(rootId, 'm-1'), rewritten);
    await origin.removeManifest(rootId, 'm-1');
    await origin.removeManifest(rootId, 'm-1');
    await assert.rejects(origin.findManifest('m-1'), { code: 'MANIFEST_NOT_FOUND' });
  });

  check('does not take bytes that are no manifest, nor one under another id', async (origin) => {
    const rootId = await origin.activeRoot();
    const bytes = await sealedManifest({ manifestId: 'm-1', rootId });
    await assert.rejects(origin.putManifest(rootId, 'm-1', randomBytes(500)), {
      code: 'MANIFEST_MALFORMED',
    });
    await assert.rejects(origin.putManifest(rootId, 'm-2', bytes), { code: 'MANIFEST_TAMPERED' });
    assert.deepEqual(await collect(origin.listManifests(rootId)), []);
  });

  check(
    'keeps a start pack beside its manifest, the last one, until that is removed',
    async (origin) => {
      const rootId = await origin.activeRoot();
      const bytes = await sealedManifest({ manifestId: 'm-1', rootId });
      const [first, second] = [await sealedPack('m-1', rootId), await sealedPack('m-1', rootId)];
      await origin.putManifest(rootId, 'm-1', bytes);
      assert.deepEqual(await origin.findDisk('m-1'), { rootId, manifestId: 'm-1', bytes });
      await origin.putPack(rootId, 'm-1', first);
      await origin.putPack(rootId, 'm-1', second);
      assert.deepEqual(await origin.getPack(rootId, 'm-1'), second);
      const found = { rootId, manifestId: 'm-1', bytes, pack: second };
      assert.deepEqual(await origin.findDisk('m-1'), found);
      assert.deepEqual(await collect(origin.listManifests(rootId)), ['m-1']);
      await assert.rejects(origin.putPack(rootId, 'm-2', second), { code: 'MANIFEST_TAMPERED' });
      await assert.rejects(origin.putPack(rootId, 'm-1', bytes), { code: 'MANIFEST_TAMPERED' });
      await origin.removeManifest(rootId, 'm-1');
      assert.equal(await origin.getPack(rootId, 'm-1'), undefined);
      await assert.rejects(origin.findDisk('m-1'), { code: 'MANIFEST_NOT_FOUND' });
      await origin.advanceRoot(rootId, 'retired');
      await assert.rejects(origin.putPack(rootId, 'm-1', first), { code: 'ROOT_READ_ONLY' });
    },
  );

  check('writes into active roots only and reads from all but deleted ones', async (origin) => {
    const { ref, ciphertext } = await someChunk(origin);
    await origin.put(ref, ciphertext);
    const { rootId } = ref;
    const bytes = await sealedManifest({ manifestId: 'm-1', rootId });
    await origin.advanceRoot(rootId, 'retired');
    await assert.rejects(origin.put(ref, ciphertext), { code: 'ROOT_READ_ONLY' });
    await assert.rejects(origin.putManifest(rootId, 'm-1', bytes), { code: 'ROOT_READ_ONLY' });
    assert.deepEqual(await origin.get(ref), ciphertext);
    assert.notEqual(await origin.activeRoot(), rootId);
    assert.deepEqual(await collect(origin.alarms()), []);
  });

  check('alarms at each thing read from an expired root, and still serves it', async (origin) => {
    const { ref, ciphertext } = await someChunk(origin);
    const { rootId } = ref;
    await origin.put(ref, ciphertext);
    const bytes = await sealedManifest({ manifestId: 'm-1', rootId });
    await origin.putManifest(rootId, 'm-1', bytes);
    await origin.advanceRoot(rootId, 'retired');
    await origin.advanceRoot(rootId, 'expired');
    assert.deepEqual(await origin.readForCopy(ref), ciphertext);
    assert.deepEqual(await collect(origin.alarms()), []);
    assert.deepEqual(await origin.get(ref), ciphertext);
    assert.deepEqual((await origin.findManifest('m-1')).bytes, bytes);
    const alarms = await collect(origin.alarms());
    assert.deepEqual(alarms, [
      { rootId, kind: 'chunk', name: ref.name },
      { rootId, kind: 'manifest', name: 'm-1' },
    ]);
    await origin.clearAlarms();
    assert.deepEqual(await collect(origin.alarms()), []);
  });

  check('roots only go forward, and remember since when', async (origin) => {
    const rootId = await origin.activeRoot();
    await origin.advanceRoot(rootId, 'retired');
    await origin.advanceRoot(rootId, 'expired');
    await origin.advanceRoot(rootId, 'retired');
    assert.equal((await origin.rootStatus(rootId)).state, 'expired');
    assert.equal(typeof (await origin.stateSinceMs(rootId, 'expired')), 'number');
    assert.equal(await origin.stateSinceMs(rootId, 'deleted'), undefined);
    await assert.rejects(origin.advanceRoot('none', 'retired'), { code: 'ROOT_NOT_FOUND' });
  });

  check('keeps pins until the manifest is removed or nobody wants it', async (origin) => {
    for (const id of ['m-2', 'm-1', 'm-1', 'm-3']) await origin.pinManifest(id);
    assert.deepEqual(await collect(origin.pinnedManifests()), ['m-1', 'm-2', 'm-3']);
    await origin.unpinManifest('m-2');
    await origin.forgetManifest('m-3');
    await origin.unpinManifest('none');
    assert.deepEqual(await collect(origin.pinnedManifests()), ['m-1']);
  });

  check('removes a manifest from every root that is not expired', async (origin) => {
    const roots = [await origin.activeRoot(), await origin.createRoot(), await origin.createRoot()];
    for (const rootId of roots) {
      await origin.putManifest(rootId, 'm-1', await sealedManifest({ manifestId: 'm-1', rootId }));
    }
    await origin.advanceRoot(roots[1] as string, 'retired');
    await origin.advanceRoot(roots[2] as string, 'expired');
    await origin.forgetManifest('m-1');
    const left = await Promise.all(roots.map((each) => collect(origin.listManifests(each))));
    assert.deepEqual(left, [[], [], ['m-1']]);
  });

  check('remembers where a root was copied to', async (origin) => {
    const [from, a, b] = [
      await origin.activeRoot(),
      await origin.createRoot(),
      await origin.createRoot(),
    ];
    await origin.markMigrated(from, b);
    await origin.markMigrated(from, a);
    assert.deepEqual((await origin.rootStatus(from)).migratedTo, [a, b].sort());
    await assert.rejects(origin.markMigrated(from, 'none'), { code: 'ROOT_NOT_FOUND' });
    await assert.rejects(origin.markMigrated('none', a), { code: 'ROOT_NOT_FOUND' });
  });

  check('deletes an expired root in batches, and no other', async (origin) => {
    const { ref, ciphertext } = await someChunk(origin);
    await origin.put(ref, ciphertext);
    const other = await someChunk(origin);
    await origin.put(other.ref, other.ciphertext);
    await assert.rejects(origin.removeBatch(ref.rootId, 10), { code: 'INTERNAL' });
    await origin.advanceRoot(ref.rootId, 'expired');
    assert.equal((await origin.usage(ref.rootId)).chunks, 2);
    assert.equal(await origin.removeBatch(ref.rootId, 1), 1);
    assert.equal(await origin.removeBatch(ref.rootId, 10), 1);
    assert.equal(await origin.removeBatch(ref.rootId, 10), 0);
    await origin.advanceRoot(ref.rootId, 'deleted');
    await assert.rejects(origin.get(ref), { code: 'CHUNK_MISSING' });
  });

  check('spreads accounts over several active roots, each always to the same', async (origin) => {
    const roots = new Set([await origin.activeRoot(), await origin.createRoot()]);
    const accounts = Array.from({ length: 40 }, (_, i) => String(i).padStart(12, '0'));
    const chosen = await Promise.all(accounts.map((each) => origin.activeRoot(each)));
    assert.deepEqual(new Set(chosen), roots);
    assert.deepEqual(await Promise.all(accounts.map((each) => origin.activeRoot(each))), chosen);
  });

  check('writers at once end with one whole chunk each', async (origin) => {
    const chunks = await Promise.all(Array.from({ length: 5 }, () => someChunk(origin)));
    const puts = [...chunks, ...chunks, ...chunks].map(({ ref, ciphertext }) =>
      origin.put(ref, ciphertext),
    );
    const outcomes = await Promise.all(puts);
    assert.equal(outcomes.filter((outcome) => outcome === 'stored').length, 5);
    for (const { ref, ciphertext } of chunks) assert.deepEqual(await origin.get(ref), ciphertext);
  });

  check('a manifest read back says what was sealed', async (origin) => {
    const rootId = await origin.activeRoot();
    const { ref, ciphertext } = await someChunk(origin);
    await origin.put(ref, ciphertext);
    const chunks = [{ name: ref.name, key: systemRandom.bytes(32) }, undefined];
    const bytes = await sealedManifest({ manifestId: 'm-9', rootId, chunks });
    await origin.putManifest(rootId, 'm-9', bytes);
    const header = readManifestHeader((await origin.findManifest('m-9')).bytes);
    assert.deepEqual([...header.names()], [ref.name]);
  });
}

async function someChunk(origin: Origin): Promise<{ ref: ChunkRef; ciphertext: Buffer }> {
  const ciphertext = randomBytes(20_000);
  return { ref: { rootId: await origin.activeRoot(), name: nameOf(ciphertext) }, ciphertext };
}
