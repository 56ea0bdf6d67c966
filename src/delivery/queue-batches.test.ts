import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mappingOf } from '../records/event-source-mapping-store.conformance.ts';
import { MemoryEventSourceMappings } from '../records/mod.ts';
import { mappingBook } from './queue-batches.ts';

test('a mapping is settled by what followed its last change, and by nothing older', async () => {
  const store = new MemoryEventSourceMappings();
  const book = mappingBook(store);
  const { uuid } = mappingOf(1);
  const state = async () => (await store.read(uuid))?.state;
  await store.insert(mappingOf(1));
  await book.settle(uuid, 1, 'Enabled');
  assert.equal(await state(), 'Enabled');
  await store.change(uuid, (each) => ({ ...each, state: 'Disabling', revision: 2 }));
  await book.settle(uuid, 1, 'Enabled');
  assert.equal(await state(), 'Disabling');
  await book.settle(uuid, 2, 'Disabled');
  assert.equal(await state(), 'Disabled');
  await store.change(uuid, (each) => ({ ...each, state: 'Deleting', revision: 3 }));
  await book.settle(uuid, 2, 'Deleted');
  assert.equal(await state(), 'Deleting');
  await book.settle(uuid, 3, 'Deleted');
  assert.equal(await state(), undefined);
  await book.settle(uuid, 3, 'Deleted');
});
