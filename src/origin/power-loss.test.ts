import assert from 'node:assert/strict';
import { readlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { SeededRandom, VirtualClock } from '../base/mod.ts';
import { type ManifestChunk, nameOf } from '../seal/mod.ts';
import { DirectoryObjects } from './directory-objects.ts';
import { MemoryObjects } from './memory-objects.ts';
import { sealedManifest } from './origin.fixture.ts';
import { StoredOrigin } from './stored-origin.ts';

const random = new SeededRandom(3);
const manifestId = 'manifest-1';

/** Objects that a power failure takes unless they were settled; says what stood at each put. */
class Volatile extends MemoryObjects {
  readonly settled = new Set<string>();
  onPut: (key: string) => void = () => {};

  override async putIfAbsent(key: string, bytes: Buffer) {
    const outcome = await super.putIfAbsent(key, bytes);
    this.onPut(key);
    return outcome;
  }

  override async settle(keys: Iterable<string> = []): Promise<void> {
    for (const key of keys) {
      await new Promise((resolve) => setImmediate(resolve));
      this.settled.add(key);
    }
  }
}

test('a manifest is put after its chunks are durable, and acknowledged once it is durable itself', async () => {
  const objects = new Volatile();
  const origin = new StoredOrigin(objects, { clock: new VirtualClock(1e6), random });
  const rootId = await origin.activeRoot();
  const chunks: ManifestChunk[] = [];
  for (const fill of ['a', 'b', 'c']) {
    const bytes = Buffer.alloc(4096, fill);
    const name = nameOf(bytes);
    await origin.put({ rootId, name }, bytes);
    chunks.push({ name, key: random.bytes(32) });
  }
  let unsettled: string[] | undefined;
  objects.onPut = (key) => {
    if (!key.endsWith(`/manifests/${manifestId}`)) return;
    const settled = [...objects.settled].map((each) => each.split('/').at(-1));
    unsettled = chunks.map(({ name }) => name).filter((name) => !settled.includes(name));
  };
  const bytes = await sealedManifest({ manifestId, rootId, chunks });
  await origin.putManifest(rootId, manifestId, bytes);
  assert.deepEqual(unsettled, [], 'no chunk of it could be lost when it was put');
  assert.ok(objects.settled.has(`roots/${rootId}/manifests/${manifestId}`));
  await origin.pinManifest(manifestId);
  assert.ok(objects.settled.has(`pins/${manifestId}`));
});

/** Notes, in order, which file or folder is synced to disk, by its path. */
async function watchSyncs(t: TestContext, directory: string): Promise<string[]> {
  const synced: string[] = [];
  const probe = await open('/');
  const handles = Object.getPrototypeOf(probe) as Record<'sync' | 'datasync', () => Promise<void>>;
  await probe.close();
  for (const how of ['sync', 'datasync'] as const) {
    const original = handles[how];
    t.mock.method(handles, how, async function (this: { fd: number }) {
      const path = readlinkSync(`/proc/self/fd/${this.fd}`);
      await original.call(this as never);
      synced.push(relative(directory, path) || '.');
    });
  }
  return synced;
}

test('a directory syncs an object’s bytes before its name, and to settle it, every folder', async (t) => {
  const directory = join(temporaryDirectory(t), 'origin');
  const objects = new DirectoryObjects(directory, new VirtualClock(1e6), random);
  const synced = await watchSyncs(t, directory);
  await objects.putIfAbsent('a/b/c/1', Buffer.from('one'));
  assert.equal(synced.length, 1);
  assert.match(synced[0] ?? '', /^tmp\//, 'the bytes, under the name that they had then');
  await objects.putIfAbsent('a/b/d/2', Buffer.from('two'));
  synced.length = 0;
  await objects.settle(['a/b/c/1', 'a/b/d/2']);
  assert.deepEqual([...synced].sort(), ['.', 'a', 'a/b', 'a/b/c', 'a/b/d']);
  synced.length = 0;
  await objects.replace('a/b/c/1', Buffer.from('three'));
  assert.equal(dirname(synced[0] ?? ''), 'tmp');
  assert.deepEqual(synced.slice(1), ['a/b/c']);
});
