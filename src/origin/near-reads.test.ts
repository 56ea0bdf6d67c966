import assert from 'node:assert/strict';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { limits, systemRandom, VirtualClock } from '../base/mod.ts';
import { nameOf } from '../seal/mod.ts';
import { directoryOrigin, memoryOrigin } from './mod.ts';

const bytes = Buffer.alloc(4096, 'chunk');
const name = nameOf(bytes);

/** Both ways, which must agree. */
async function readNear(
  origin: ReturnType<typeof directoryOrigin>,
  rootId: string,
): Promise<Buffer | undefined> {
  const [now, soon] = [Buffer.alloc(bytes.length), Buffer.alloc(bytes.length)];
  const hadNow = origin.readIntoSync({ rootId, name }, now);
  assert.equal(await origin.readInto({ rootId, name }, soon), hadNow);
  if (!hadNow) return undefined;
  assert.ok(now.equals(soon));
  return now;
}

test('a directory is read without a wait only from a root whose state is known and good', async (t) => {
  const clock = new VirtualClock(1e6);
  const origin = directoryOrigin(temporaryDirectory(t), { clock, random: systemRandom });
  const rootId = await origin.activeRoot();
  assert.equal(await readNear(origin, rootId), undefined, 'absent');
  await origin.put({ rootId, name }, bytes);
  assert.deepEqual(await readNear(origin, rootId), bytes);
  clock.jump(limits.origin.rootStateMs);
  assert.equal(await readNear(origin, rootId), undefined, 'what was known is old');
  await origin.get({ rootId, name });
  assert.deepEqual(await readNear(origin, rootId), bytes, 'known again');
  await origin.advanceRoot(rootId, 'retired');
  assert.deepEqual(await readNear(origin, rootId), bytes);
  await origin.markMigrated(rootId, await origin.createRoot());
  assert.equal(await readNear(origin, rootId), undefined, 'it was copied: the copy is asked');
  await origin.advanceRoot(rootId, 'expired');
  assert.equal(await readNear(origin, rootId), undefined, 'an alarm must come first');
});

test('wrong, short and long bytes are not taken for a chunk, and a remote store is not near', async (t) => {
  const directory = temporaryDirectory(t);
  const options = { clock: new VirtualClock(1e6), random: systemRandom };
  const origin = directoryOrigin(directory, options);
  const rootId = await origin.activeRoot();
  await origin.put({ rootId, name }, bytes);
  const path = join(directory, 'roots', rootId, 'chunks', name.slice(0, 2), name);
  appendFileSync(path, 'more');
  assert.deepEqual(await readNear(origin, rootId), bytes, 'what follows a chunk is not read');
  writeFileSync(path, bytes.subarray(1));
  assert.equal(await readNear(origin, rootId), undefined);
  writeFileSync(path, Buffer.alloc(bytes.length));
  assert.equal(await readNear(origin, rootId), undefined);
  const elsewhere = memoryOrigin(options);
  const otherRoot = await elsewhere.activeRoot();
  await elsewhere.put({ rootId: otherRoot, name }, bytes);
  assert.equal(await readNear(elsewhere, otherRoot), undefined);
});
