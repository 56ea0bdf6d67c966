import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, systemRandom, VirtualClock } from '../base/mod.ts';
import { MemoryObjects } from './memory-objects.ts';
import { RootBook } from './root-book.ts';

/** Objects whose lists are counted, and wait for the test's word when it asks them to. */
class SlowLists extends MemoryObjects {
  lists = 0;
  gate: Promise<void> | undefined;

  override async *list(prefix: string): AsyncIterable<string> {
    this.lists++;
    const { gate } = this;
    const keys: string[] = [];
    for await (const key of super.list(prefix)) keys.push(key);
    await gate;
    yield* keys;
  }
}

function book() {
  const objects = new SlowLists();
  const clock = new VirtualClock(1_700_000_000_000);
  const open = () => new RootBook(objects, clock, systemRandom);
  return { objects, clock, open };
}

test('states are read once for many, and again when they may have changed', async () => {
  const { objects, clock, open } = book();
  const rootId = await open().createRoot();
  const roots = open();
  objects.lists = 0;
  await Promise.all(Array.from({ length: 20 }, () => roots.rootStatus(rootId)));
  assert.equal(objects.lists, 1);
  clock.jump(limits.origin.rootStateMs - 1);
  await roots.rootStatus(rootId);
  assert.equal(objects.lists, 1);
  clock.jump(1);
  await roots.rootStatus(rootId);
  assert.equal(objects.lists, 2);
});

test('a step by another process shows once remembered states expire', async () => {
  const { clock, open } = book();
  const [here, there] = [open(), open()];
  const rootId = await here.createRoot();
  await there.advanceRoot(rootId, 'retired');
  assert.equal((await here.rootStatus(rootId)).state, 'active');
  clock.jump(limits.origin.rootStateMs);
  assert.equal((await here.rootStatus(rootId)).state, 'retired');
});

test('a reading that began before a step and ends after it does not undo it', async () => {
  const { objects, open } = book();
  const roots = open();
  const rootId = await roots.createRoot();
  let release = () => {};
  objects.gate = new Promise((resolve) => {
    release = resolve;
  });
  const early = roots.listRoots();
  objects.gate = undefined;
  await roots.advanceRoot(rootId, 'retired');
  release();
  assert.equal((await early)[0]?.state, 'active');
  assert.equal((await roots.rootStatus(rootId)).state, 'retired');
});

test('ids sort by creation', async () => {
  const { clock, open } = book();
  const roots = open();
  const ids: string[] = [];
  for (let index = 0; index < 20; index++) {
    ids.push(await roots.createRoot());
    clock.jump(index * 137);
  }
  assert.deepEqual(ids.slice(2), ids.slice(2).sort());
});

test('a marker without a time is named', async () => {
  const { objects, open } = book();
  const roots = open();
  const rootId = await roots.createRoot();
  await objects.replace(`state/${rootId}/active`, Buffer.from('{'));
  await assert.rejects(roots.stateSinceMs(rootId, 'active'), { code: 'STORE_CORRUPT' });
});
