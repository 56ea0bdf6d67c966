import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { systemClock, systemRandom } from '../base/mod.ts';
import { type ChunkRef, nameOf, readManifestHeader } from '../seal/mod.ts';
import {
  collectorView,
  flattenerView,
  memoryOrigin,
  type Origin,
  scopedChunkSource,
} from './mod.ts';
import { sealedManifest } from './origin.fixture.ts';

async function storedChunk(origin: Origin): Promise<{ ref: ChunkRef; ciphertext: Buffer }> {
  const ciphertext = randomBytes(500);
  const ref = { rootId: await origin.activeRoot(), name: nameOf(ciphertext) };
  await origin.put(ref, ciphertext);
  return { ref, ciphertext };
}

/** Everything that can be called on an object, also through what it inherits. */
function callable(object: object): string[] {
  const names = new Set<string>();
  for (let each = object; each && each !== Object.prototype; each = Object.getPrototypeOf(each)) {
    for (const name of Object.getOwnPropertyNames(each)) names.add(name);
  }
  return [...names].sort();
}

async function manifestOver(
  origin: Origin,
  manifestId: string,
  refs: readonly ChunkRef[],
): Promise<ReturnType<typeof readManifestHeader>> {
  const rootId = await origin.activeRoot();
  const chunks = refs.map(({ name }) => ({ name, key: randomBytes(32) }));
  return readManifestHeader(await sealedManifest({ manifestId, rootId, chunks }));
}

const open = () => memoryOrigin({ clock: systemClock, random: systemRandom });

test('a flattener can put and has no way to get', async () => {
  const origin = open();
  const view = flattenerView(origin);
  assert.deepEqual(callable(view), ['put', 'putManifest']);
  const ciphertext = randomBytes(100);
  const ref = { rootId: await origin.activeRoot(), name: nameOf(ciphertext) };
  assert.equal(await view.put(ref, ciphertext), 'stored');
  assert.throws(() => Object.assign(view, { get: () => {} }), TypeError);
});

test('a collector reads without alarms, cannot serve reads, and edits no manifest', () => {
  const names = callable(collectorView(open()));
  for (const refused of ['get', 'getManifest', 'findManifest', 'replaceManifest']) {
    assert.ok(!names.includes(refused), refused);
  }
  assert.ok(names.includes('readForCopy'));
});

test('garbage collection knows of no key service', () => {
  const folder = new URL('../gc/', import.meta.url);
  const files = readdirSync(folder).filter((file) => !/test|fixture/.test(file));
  assert.ok(files.length >= 5);
  for (const file of files) {
    const text = readFileSync(new URL(file, folder), 'utf8');
    assert.doesNotMatch(text, /KeyService|unwrap|openManifest|openRange|dataKey/, file);
  }
});

test('an agent gets the chunks of the manifests it was handed, and no other', async () => {
  const origin = open();
  const [mine, other] = [await storedChunk(origin), await storedChunk(origin)];
  const scoped = scopedChunkSource(origin, [await manifestOver(origin, 'm-1', [mine.ref])]);
  assert.deepEqual(await scoped.get(mine.ref), mine.ciphertext);
  await assert.rejects(scoped.get(other.ref), { code: 'ACCESS_DENIED' });
  const absent = { ...other.ref, name: nameOf(Buffer.from('absent')) };
  await assert.rejects(scoped.get(absent), { code: 'ACCESS_DENIED' }, 'absence is not told either');
});

test('a manifest handed over later counts, and one taken back no longer does', async () => {
  const origin = open();
  const [a, b] = [await storedChunk(origin), await storedChunk(origin)];
  const scoped = scopedChunkSource(origin, []);
  await assert.rejects(scoped.get(a.ref), { code: 'ACCESS_DENIED' });
  scoped.admit(await manifestOver(origin, 'm-1', [a.ref, b.ref]));
  scoped.admit(await manifestOver(origin, 'm-1', [a.ref, b.ref]));
  scoped.admit(await manifestOver(origin, 'm-2', [b.ref]));
  await scoped.get(a.ref);
  scoped.dismiss('m-1');
  await assert.rejects(scoped.get(a.ref), { code: 'ACCESS_DENIED' });
  assert.deepEqual(await scoped.get(b.ref), b.ciphertext, 'another manifest names it still');
  scoped.dismiss('m-2');
  scoped.dismiss('m-2');
  await assert.rejects(scoped.get(b.ref), { code: 'ACCESS_DENIED' });
});
