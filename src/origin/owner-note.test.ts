import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryObjects } from './memory-objects.ts';
import { OwnerNote } from './owner-note.ts';

const id = (digit: string) => `${digit.repeat(8)}-0000-4000-8000-000000000000`;
const bench = () => {
  const objects = new MemoryObjects();
  return { objects, note: new OwnerNote(objects) };
};

test('an origin belongs to whoever claims it first, until somebody replaces its owner', async () => {
  const { note } = bench();
  const [first, second] = [
    { regionId: id('a'), generation: 1 },
    { regionId: id('b'), generation: 42 },
  ];
  assert.equal(await note.readOwner(), undefined);
  assert.deepEqual(await note.claimOwner(first), first);
  assert.deepEqual(await note.claimOwner(second), first);
  assert.deepEqual(await note.readOwner(), first);
  await note.replaceOwner(second);
  assert.deepEqual(await note.readOwner(), second);
});

test('an owner that cannot be read is nobody’s to overrule', async () => {
  for (const text of ['', 'x', `${id('a')} 1`, `${id('a')} -1\n`, `${id('a')} 1\n\n`]) {
    const { objects, note } = bench();
    await objects.putIfAbsent('owner/region', Buffer.from(text));
    const corrupt = { code: 'STORE_CORRUPT' };
    await assert.rejects(note.readOwner(), corrupt, JSON.stringify(text));
    await assert.rejects(note.claimOwner({ regionId: id('b'), generation: 1 }), corrupt);
  }
});

test('the holder’s beat is read as it was written; one that cannot be read is nobody’s', async () => {
  const { objects, note } = bench();
  assert.equal(await note.readHolder(), undefined);
  for (const place of ['-', 'f'.repeat(32)]) {
    const holder = { id: id('c'), beat: 12_345, place };
    await note.writeHolder(holder);
    assert.deepEqual(await note.readHolder(), holder);
  }
  const [key = ''] = (await keysOf(objects)).filter((each) => each !== 'owner/region');
  await objects.replace(key, Buffer.from('no beat'));
  assert.equal(await note.readHolder(), undefined);
});

async function keysOf(objects: MemoryObjects): Promise<string[]> {
  const keys: string[] = [];
  for await (const each of objects.list('owner/')) keys.push(each);
  return keys;
}
