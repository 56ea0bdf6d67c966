import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, noLogger, VirtualClock } from '../base/mod.ts';
import { DamageBook } from './damage-book.ts';
import { MemoryObjects } from './memory-objects.ts';

test('what is damaged is listed once in a while, not for each chunk that is put', async () => {
  const objects = new MemoryObjects();
  let lists = 0;
  const counted = Object.assign(objects, {
    list: (prefix: string) => {
      lists++;
      return MemoryObjects.prototype.list.call(objects, prefix);
    },
  });
  const clock = new VirtualClock();
  const book = new DamageBook(counted, clock, noLogger);
  const [rootId, name] = ['r-1', 'ab'.repeat(32)];
  assert.equal(await book.has({ rootId, name }), false);
  await new DamageBook(objects, clock, noLogger).note({ rootId, name });
  for (let i = 0; i < 100; i++) await book.has({ rootId, name: `${i}` });
  assert.equal(lists, 1);
  clock.jump(limits.origin.rootStateMs);
  assert.equal(await book.has({ rootId, name }), true, 'by another process');
  assert.equal(await book.has({ rootId: 'r-2', name }), false, 'in its root alone');
  await book.healed({ rootId, name });
  assert.equal(await book.has({ rootId, name }), false);
});
