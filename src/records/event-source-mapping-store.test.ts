import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { mappingOf, mappingStoreConformance } from './event-source-mapping-store.conformance.ts';
import { MemoryEventSourceMappings } from './memory/event-source-mappings.ts';
import { SqliteEventSourceMappings } from './sqlite/event-source-mappings.ts';

mappingStoreConformance('memory', async (_, options) => new MemoryEventSourceMappings(options));
mappingStoreConformance('sqlite', async (t, options) => {
  const path = join(temporaryDirectory(t), 'mappings.sqlite');
  const store = SqliteEventSourceMappings.open(path, options);
  t.after(() => store.close());
  return store;
});

test('sqlite: mappings are there after the file is opened again', async (t) => {
  const path = join(temporaryDirectory(t), 'mappings.sqlite');
  const first = SqliteEventSourceMappings.open(path);
  await first.insert(mappingOf(1));
  await first.close();
  const second = SqliteEventSourceMappings.open(path);
  t.after(() => second.close());
  assert.deepEqual(await second.all(), [mappingOf(1)]);
});
