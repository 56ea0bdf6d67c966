import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom, VirtualClock } from '../base/mod.ts';
import { MemoryObjects } from './memory-objects.ts';
import { sealedManifest } from './origin.fixture.ts';
import { ScopedChunkSource } from './scoped-chunk-source.ts';
import { StoredOrigin } from './stored-origin.ts';

/** Objects whose writes take some turns, so that whoever does not wait for them is seen. */
class SlowObjects extends MemoryObjects {
  written = 0;

  override async putIfAbsent(key: string, bytes: Buffer) {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    const outcome = await super.putIfAbsent(key, bytes);
    this.written++;
    return outcome;
  }
}

async function withManifest() {
  const objects = new SlowObjects();
  const clock = new VirtualClock(1_700_000_000_000);
  const origin = new StoredOrigin(objects, { clock, random: new SeededRandom(4) });
  const rootId = await origin.activeRoot();
  const bytes = await sealedManifest({ manifestId: 'm', rootId });
  await origin.putManifest(rootId, 'm', bytes);
  const expire = async () => {
    await origin.createRoot();
    await origin.advanceRoot(rootId, 'retired');
    await origin.advanceRoot(rootId, 'expired');
  };
  const alarms = async () => {
    const all: string[] = [];
    for await (const { kind, name } of origin.alarms()) all.push(`${kind} ${name}`);
    return all;
  };
  return { objects, origin, rootId, bytes, expire, alarms };
}

test('a use of an expired root is noted before whoever uses it goes on', async () => {
  const { origin, rootId, expire, alarms } = await withManifest();
  await origin.noteUse(rootId, 'm');
  assert.deepEqual(await alarms(), [], 'a root that has not expired may be used');
  await expire();
  await origin.noteUse(rootId, 'm');
  assert.deepEqual(await alarms(), ['manifest m']);
});

test('a manifest of an expired root is answered once its alarm is stored', async () => {
  const { origin, rootId, expire, alarms, bytes } = await withManifest();
  await expire();
  assert.ok((await origin.getManifest(rootId, 'm')).equals(bytes));
  assert.deepEqual(await alarms(), ['manifest m']);
});

test('only a manifest that is there is replaced', async () => {
  const { origin, rootId } = await withManifest();
  const other = await sealedManifest({ manifestId: 'm', rootId, accountId: '111111111111' });
  const missing = { code: 'MANIFEST_NOT_FOUND' };
  await assert.rejects(origin.replaceManifest(rootId, 'n', other), missing);
  await assert.rejects(origin.getManifest(rootId, 'n'), missing);
  await origin.replaceManifest(rootId, 'm', other);
  assert.ok((await origin.getManifest(rootId, 'm')).equals(other));
});

test('a chunk may be read as long as a manifest that names it is handed over', () => {
  const scoped = new ScopedChunkSource({ get: async () => Buffer.alloc(1) });
  const manifest = (manifestId: string, ...names: string[]) => ({ manifestId, names: () => names });
  const admitted = () => ['a', 'b', 'c'].filter((name) => scoped.admits(name));
  scoped.admit(manifest('one', 'a', 'b', 'a'));
  scoped.admit(manifest('two', 'b', 'c'));
  scoped.admit(manifest('two', 'b', 'c'));
  assert.deepEqual(admitted(), ['a', 'b', 'c']);
  scoped.dismiss('one');
  assert.deepEqual(admitted(), ['b', 'c']);
  scoped.dismiss('one');
  scoped.dismiss('unknown');
  assert.deepEqual(admitted(), ['b', 'c'], 'once is enough');
  scoped.dismiss('two');
  assert.deepEqual(admitted(), []);
  scoped.admit(manifest('one', 'a'));
  assert.deepEqual(admitted(), ['a'], 'it may be handed over again');
});
